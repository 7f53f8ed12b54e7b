"""The outcome of every received record, and samples of refused requests."""
