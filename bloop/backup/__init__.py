"""Backups: made, proven, put back; and when they are due."""
