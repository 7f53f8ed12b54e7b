"""bloop: self-hosted error tracking. docs/architecture.md walks the path of one event."""

__version__ = "0.1.0"
