"""Deliveries of alerts: attempts, retries, the log."""
