"""Fingerprints: one row for each text that groups events; each belongs to an issue."""
