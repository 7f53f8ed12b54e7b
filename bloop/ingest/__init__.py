"""The one way in: credentials, bounds, rate limits, and the dialects clients speak."""
