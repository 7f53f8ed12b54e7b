"""Invitations: a link that lets one person create an account."""
