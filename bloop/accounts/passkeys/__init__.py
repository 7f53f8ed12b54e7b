"""Passkeys: the ceremonies of WebAuthn, and the keys people registered."""
