"""The load generator of `bloop bench` and benchmarks/, and the reports of `bloop bench`."""
