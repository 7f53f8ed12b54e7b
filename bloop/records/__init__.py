"""What travels through the ring and is stored: one file for each kind of record, and the codecs."""
