"""People with an account: listed, promoted, removed."""
