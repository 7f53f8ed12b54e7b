"""The heartbeats and problems that background processes report."""
