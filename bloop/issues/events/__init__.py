"""The events of an issue: their rows, written and read."""
