"""What events hang on: one row for each text that groups them, which belongs to an issue."""
