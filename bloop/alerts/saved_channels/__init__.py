"""Saved channels: made once, used by any number of rules."""
