"""Benchmarks of inspect-cost and of its zoo, each run from the root with `python -m`."""
