"""Costs of operators: pure functions of sizes, in the textbooks' letters.

Nothing here knows torch or ONNX. Both front ends map their operators onto these functions, so that
each formula is written once. What each count means is defined in `inspect_cost.values.conventions`.
"""
