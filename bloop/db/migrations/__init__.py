"""The schema, change by change: `NNNN_name.sql` in order, each with a `move_NNNN.py` where data moves by code."""
