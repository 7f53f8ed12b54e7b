"""Records on their way from ingest to the writer: one head, one file per kind of record, their codecs."""
