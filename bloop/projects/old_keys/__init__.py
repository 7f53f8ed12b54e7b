"""Keys that a project had before its current one."""
