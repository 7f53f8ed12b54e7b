"""What is traced is the real thing, database included."""

from __future__ import annotations

from benchmarks.structure import measure_traces


def test_what_is_traced_still_is_where_it_is_looked_for() -> None:
    traces = measure_traces()

    by_server, by_app, stored, page = traces.values()
    assert by_server.functions > by_app.functions > 20
    assert min(stored.functions, page.functions) > 20
    assert all(1 < found.files <= found.functions for found in traces.values())
