"""Releases and environments: which a project was seen in, and which of two releases came later."""
