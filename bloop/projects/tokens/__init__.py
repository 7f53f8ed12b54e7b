"""API tokens: each opens one project."""
