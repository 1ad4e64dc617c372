"""What turns the code into functions on AWS: artifacts, the template's expansion, and the call of `sam`."""
