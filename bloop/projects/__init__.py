"""Projects: create, rename, rotate keys, delete and purge."""
