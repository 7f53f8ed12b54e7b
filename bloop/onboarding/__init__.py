"""How a project gets its first event."""
