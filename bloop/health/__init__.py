"""bloop's own health: health and readiness checks, metrics, the system page."""
