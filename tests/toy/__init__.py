"""A feature that bloop does not have, added the way docs/contributing.md describes: pings, as cron jobs send them."""
