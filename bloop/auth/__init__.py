"""Principals, scopes and access rules: who sends a request and what it may do. Pure."""
