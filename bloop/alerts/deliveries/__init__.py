"""What became of telling people: tries, retries, the log."""
