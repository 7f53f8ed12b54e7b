"""Lists of issues saved under a name: a person's own, and those that everybody has."""
