"""The search language, the word index, and the conditions a search becomes."""
