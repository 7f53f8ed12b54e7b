"""When a rule fires, and the text of its alerts."""
