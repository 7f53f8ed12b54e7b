"""Releases and environments of each project, and the order of two releases."""
