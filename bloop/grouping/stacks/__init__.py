"""Text stacks → frames, for pages, grouping, culprits and symbols: `parse.py` is the way in, a module per language."""
