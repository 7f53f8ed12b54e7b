"""Source maps (ECMA-426): decoded once into an index, in which a position is found by reading one block."""
