"""One-time links: set-up, recovery."""
