"""Benchmark of counters: inspect-cost and its peers on cases with MACs in closed form."""
