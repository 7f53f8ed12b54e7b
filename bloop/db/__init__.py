"""SQLite: connections, migrations, pages of long lists. The only room that knows which engine stores bloop's rows."""
