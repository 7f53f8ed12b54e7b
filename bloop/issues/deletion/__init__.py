"""Deleting issues: by name, all that match a search, and those that were not seen for long."""
