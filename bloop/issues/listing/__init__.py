"""The list of issues: its page, its URL, its API."""
