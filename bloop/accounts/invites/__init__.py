"""Invitations: a link that lets one person make an account."""
