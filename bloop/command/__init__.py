"""The kit that the operator's commands are built from: settings, database, refusals, tables, times."""
