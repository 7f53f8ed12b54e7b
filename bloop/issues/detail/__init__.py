"""One issue and one of its events: as a page, as Markdown, as JSON."""
