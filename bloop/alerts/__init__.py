"""Alerts: when rules fire, what messages say, how channels send them. `workers/alerts.py` runs them."""
