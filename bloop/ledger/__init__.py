"""What became of everything that arrived, and samples of what was refused."""
