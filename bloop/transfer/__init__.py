"""Settings as a file, out of one bloop and into another."""
