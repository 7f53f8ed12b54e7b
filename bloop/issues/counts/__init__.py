"""Counters of issues and projects: added up by the writer, read as trends and totals."""
