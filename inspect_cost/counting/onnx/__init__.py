"""Count ONNX graphs by mapping their operators onto the formulas that count torch's.

A graph is followed node by node, as a runtime would, but on shapes instead of values: `graph`
walks, `inference` works out a node's results, and the tables of rules give its cost. Nothing here
imports torch.
"""
