"""Comments of people under an issue: a subset of Markdown, in the issue's activity."""
