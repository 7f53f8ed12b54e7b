"""Common parts of the operator's commands: settings, database, refusals, tables, times."""
