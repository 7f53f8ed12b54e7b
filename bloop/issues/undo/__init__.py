"""Undoing a change of issues: the state before it is kept for a while, and put back where nothing has changed since."""
