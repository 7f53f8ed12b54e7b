"""Which issues a person has not opened yet."""
