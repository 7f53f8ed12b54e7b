"""Write-only keys of a project: capture keys and DSN keys."""
