"""What classical models (`ai.onnx.ml`) have learned, which they store in attributes of nodes."""

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

from onnx import NodeProto, TensorProto, helper

from inspect_cost.counting.onnx.call import get_operator_name

Attributes = Mapping[str, Any]


class Learned(NamedTuple):
    """Numbers in an attribute.

    Attributes:
        elements: how many they are.
        itemsize: bytes of each.
        type_name: name of their type.
    """

    elements: int
    itemsize: int = 4
    type_name: str = "float32"


#: Operator -> attributes that hold what was learned. Vocabularies and statistics that inputs are
#: standardised by are none.
_COEFFICIENTS = {
    "LinearClassifier": ("coefficients", "intercepts"),
    "LinearRegressor": ("coefficients", "intercepts"),
    "SVMClassifier": ("support_vectors", "coefficients", "rho", "prob_a", "prob_b"),
    "SVMRegressor": ("support_vectors", "coefficients", "rho"),
}
#: Operator -> weights of its leaves.
_LEAVES = {
    "TreeEnsembleClassifier": ("class_weights", "class_weights_as_tensor"),
    "TreeEnsembleRegressor": ("target_weights", "target_weights_as_tensor"),
    "TreeEnsemble": ("leaf_weights",),
}


def list_learned_attributes(node: NodeProto) -> dict[str, Learned]:
    """Return attribute -> numbers that a node has learned; of a tree, thresholds and leaves."""
    domain, _, op_type = get_operator_name(node).rpartition(".")
    if domain != "ai.onnx.ml":
        return {}
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    names = (*_COEFFICIENTS.get(op_type, ()), *_LEAVES.get(op_type, ()))
    learned = {name: _measure(attributes[name]) for name in names if name in attributes}
    if op_type in _LEAVES:
        learned |= _find_thresholds(attributes)
    return learned


def _measure(values: Any) -> Learned:
    if not isinstance(values, TensorProto):
        return Learned(len(values))
    dtype = helper.tensor_dtype_to_np_dtype(values.data_type)
    return Learned(prod(values.dims), dtype.itemsize, dtype.name)


def _find_thresholds(attributes: Attributes) -> dict[str, Learned]:
    """Return the thresholds of a tree ensemble; leaves among its nodes have none."""
    modes = attributes.get("nodes_modes", [])
    branches = len(modes) - list(modes).count(b"LEAF") if isinstance(modes, list) else None
    for name in ("nodes_values", "nodes_values_as_tensor", "nodes_splits"):
        if name in attributes:
            whole = _measure(attributes[name])
            return {name: whole if branches is None else whole._replace(elements=branches)}
    return {}
