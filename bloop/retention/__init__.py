"""What is deleted when, and the work of deleting it a little at a time."""
