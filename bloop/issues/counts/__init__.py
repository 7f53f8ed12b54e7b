"""What is counted under an issue and a project: added up by the writer, read as trends and totals."""
