"""The live stream: stored signals as server-sent events."""
