"""What operators cost: pure functions of sizes, in the textbooks' letters.

Nothing here knows torch or ONNX; both fronts map their operators onto these functions, so that
each formula is written once. What each count means is in `inspect_cost.values.conventions`.
"""
