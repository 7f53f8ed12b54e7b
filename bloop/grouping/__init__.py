"""Which issue an event belongs to: stacks read as frames for every language, fingerprints by released version. Pure."""
