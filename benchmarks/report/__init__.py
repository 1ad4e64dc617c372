"""What results.json says, as tables and pictures. It needs none of what was measured."""
