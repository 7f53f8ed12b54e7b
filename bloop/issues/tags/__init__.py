"""How the events of an issue divide by environment, release, route and the keys of their metadata."""
