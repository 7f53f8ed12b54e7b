"""The age at which data is deleted, and its deletion in small steps."""
