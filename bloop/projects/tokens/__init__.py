"""API tokens: each grants access to one project."""
