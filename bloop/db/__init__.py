"""SQLite: connections, migrations, pages of long lists. The only room that knows bloop's storage engine."""
