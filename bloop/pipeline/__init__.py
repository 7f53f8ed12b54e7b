"""From the ring to the database: one transaction per batch, ledger, signals, dead letters."""
