"""What every room stands on: errors, clock, log, settings, the machine, credentials. It imports no other room."""
