"""How bloop itself is: health and readiness, metrics, the system page."""
