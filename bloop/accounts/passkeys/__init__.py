"""Passkeys: WebAuthn ceremonies and registered keys."""
