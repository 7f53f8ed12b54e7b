"""Measurements of a throw-away bloop on this machine: `python -m benchmarks`, described in docs/performance.md."""
