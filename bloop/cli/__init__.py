"""Commands about the installation as a whole, and the list of all of them (main.py)."""
