"""Counting ONNX graphs: their operators mapped onto the same formulas as torch's.

A graph is followed node by node, as a runtime would, on shapes instead of values: `graph` walks,
`inference` says what a node's results are, the families' tables say what it costs. Nothing here
imports torch.
"""
