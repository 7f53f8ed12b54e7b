"""What builds leave behind for reading stacks: source maps."""
