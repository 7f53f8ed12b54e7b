"""What one project may make bloop keep: issues, names, combinations and users, and where the rest goes."""
