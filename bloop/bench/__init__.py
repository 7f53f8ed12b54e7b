"""Load and what it does to a bloop: the generator of `bloop bench` and of benchmarks/, and the former's reports."""
