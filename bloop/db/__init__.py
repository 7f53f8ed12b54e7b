"""The engine below every statement: how SQLite is opened, and what of SQL another engine would have to understand."""
