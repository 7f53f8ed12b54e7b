"""Alerts: what is worth telling somebody, and in which words. Decisions are pure; `workers/alerts.py` acts on them."""
