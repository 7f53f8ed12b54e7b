"""Process shells: signals, loops, wiring, exit codes."""
