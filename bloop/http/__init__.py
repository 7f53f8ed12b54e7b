"""The two Gunicorn worker classes: bytes and sockets, never events."""
