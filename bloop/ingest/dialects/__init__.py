"""One file per way of sending: a parser from bytes to records, without I/O."""
