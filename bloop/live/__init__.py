"""Server-sent events: signals, as they are stored."""
