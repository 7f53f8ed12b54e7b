"""Which projects a person has pinned and which they opened last, so that the switcher shows those first."""
