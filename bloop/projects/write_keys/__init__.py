"""Keys of a project that can only write: capture keys and DSN keys."""
