"""The DynamoDB repository against DynamoDB Local, and what it does when things go wrong."""
