"""Projects: made, renamed, their keys rotated, deleted and purged."""
