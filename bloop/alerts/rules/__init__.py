"""Alert rules: their values, storage, editing and pages."""
