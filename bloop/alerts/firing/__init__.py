"""When a rule fires and what it then says."""
