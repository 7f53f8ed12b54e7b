"""Users: list, promote, demote, remove."""
