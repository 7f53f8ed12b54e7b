"""Issues and their events: stored, counted, listed, searched, shown, and moved through their statuses."""
