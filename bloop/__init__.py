"""bloop: self-hosted error tracking. The rooms, in the order an event walks through them, are in docs/architecture.md."""

__version__ = "0.1.0"
