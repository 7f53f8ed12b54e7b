"""What the background processes say of themselves, for everybody who has to know whether they run."""
