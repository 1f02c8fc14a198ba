"""Which operands are settings rather than weights, and which hold several weights in a byte."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from onnx import helper

from inspect_cost.counting.onnx.call import get_operator_name
from inspect_cost.counting.onnx.constants import Constant, Read

#: Operator -> positions of operands that are settings, not weights.
_SETTINGS: dict[str, frozenset[int]] = {
    "onnx.BatchNormalization": frozenset({3, 4}),
    "onnx.Clip": frozenset({1, 2}),
    "onnx.ConvInteger": frozenset({2, 3}),
    "onnx.DequantizeLinear": frozenset({1, 2}),
    "onnx.Dropout": frozenset({1}),
    "onnx.MatMulInteger": frozenset({2, 3}),
    "onnx.OneHot": frozenset({1, 2}),
    "onnx.Pad": frozenset({1, 2, 3}),
    "onnx.QLinearConv": frozenset({1, 2, 4, 5, 6, 7}),
    "onnx.QLinearMatMul": frozenset({1, 2, 4, 5, 6, 7}),
    "onnx.QuantizeLinear": frozenset({1, 2}),
    "onnx.Resize": frozenset({1, 2, 3}),
    "onnx.RotaryEmbedding": frozenset({1, 2}),
    "onnx.STFT": frozenset({1, 2, 3}),
    "onnx.Upsample": frozenset({1}),
    "com.microsoft.DequantizeLinear": frozenset({1, 2}),
    "com.microsoft.DynamicQuantizeLSTM": frozenset({8, 9, 10, 11}),
    "com.microsoft.DynamicQuantizeMatMul": frozenset({2, 3}),
    "com.microsoft.GatherBlockQuantized": frozenset({2, 3}),
    "com.microsoft.MatMulBnb4": frozenset({2}),
    "com.microsoft.MatMulIntegerToFloat": frozenset({2, 3, 4, 5}),
    "com.microsoft.MatMulNBits": frozenset({2, 3, 4}),
    "com.microsoft.QAttention": frozenset({3, 4, 6, 7}),
    "com.microsoft.QGemm": frozenset({1, 2, 4, 5, 7, 8}),
    "com.microsoft.QLinearAdd": frozenset({1, 2, 4, 5, 6, 7}),
    "com.microsoft.QLinearAveragePool": frozenset({1, 2, 3, 4}),
    "com.microsoft.QLinearConv": frozenset({1, 2, 4, 5, 6, 7}),
    "com.microsoft.QLinearGlobalAveragePool": frozenset({1, 2, 3, 4}),
    "com.microsoft.QLinearLeakyRelu": frozenset({1, 2, 3, 4}),
    "com.microsoft.QLinearMul": frozenset({1, 2, 4, 5, 6, 7}),
    "com.microsoft.QLinearReduceMean": frozenset({1, 2, 3, 4}),
    "com.microsoft.QLinearSigmoid": frozenset({1, 2, 3, 4}),
    "com.microsoft.QLinearSoftmax": frozenset({1, 2, 3, 4}),
    "com.microsoft.QLinearWhere": frozenset({2, 3, 5, 6, 7, 8}),
    "com.microsoft.QMoE": frozenset({3, 6, 9, 11, 12, 13}),
    "com.microsoft.QuantizeLinear": frozenset({1, 2}),
    "com.microsoft.RotaryEmbedding": frozenset({1, 2, 3}),
}
#: Operands that are weights even if they are 32-bit integers: quantised biases.
_INTEGER_WEIGHTS = {
    ("onnx.QLinearConv", 8),
    ("com.microsoft.QLinearConv", 8),
    ("com.microsoft.QGemm", 6),
    ("onnx.DequantizeLinear", 0),
}
#: Output of DynamicQuantizeLinear that is the scale.
_SCALE = 1


def is_setting(read: Read) -> bool:
    """Return whether an operand is a setting: a statistic, scale, zero point, bound or window."""
    operator = get_operator_name(read.node)
    if operator == "com.microsoft.QLinearConcat":  # its scale and zero, then triples
        return read.position < 2 or (read.position - 2) % 3 != 0  # noqa: PLR2004 - as above
    if operator == "onnx.Mul":
        return _scales_a_scale(read)
    return read.position in _SETTINGS.get(operator, ())


def _scales_a_scale(read: Read) -> bool:
    """Return whether an operand of a product is multiplied by a scale found at run time.

    The product of both scales turns integers back into floats, as the dynamic quantiser writes it.
    """
    for position, name in enumerate(read.node.input):
        maker = read.scope.find_maker(name) if position != read.position else None
        if maker is not None and maker.op_type == "DynamicQuantizeLinear":
            return list(maker.output).index(name) == _SCALE
    return False


def is_integer_weight(read: Read) -> bool:
    """Return whether an operand is a weight whatever its type."""
    return (get_operator_name(read.node), read.position) in _INTEGER_WEIGHTS


@dataclass(frozen=True)
class Packing:
    """Weights of less than a byte each, in a tensor of bytes.

    Attributes:
        elements: number of weights.
        type_name: name of their type.
    """

    elements: int
    type_name: str


def find_packing(constant: Constant, read: Read) -> Packing | None:
    """Return how an operand holds weights of few bits; None if its elements are weights."""
    packing = _PACKED.get((get_operator_name(read.node), read.position))
    attributes = {a.name: helper.get_attribute_value(a) for a in read.node.attribute}
    return packing(constant, attributes) if packing else None


def _pack_matrix(constant: Constant, attributes: Mapping[str, Any]) -> Packing:
    """Blocks may be padded, so that the elements follow from K and N."""
    del constant
    bits = attributes.get("bits", 4)
    return Packing(attributes["K"] * attributes["N"], f"uint{bits}")


def _pack_floats(constant: Constant, attributes: Mapping[str, Any]) -> Packing:
    del constant
    type_name = "nf4" if attributes.get("quant_type", 0) else "fp4"
    return Packing(attributes["K"] * attributes["N"], type_name)


def _pack_table(constant: Constant, attributes: Mapping[str, Any]) -> Packing | None:
    """Only bytes hold several; types of 4 bits have one element for each weight."""
    bits = attributes.get("bits", 4)
    if constant.bytes != constant.elements or bits >= _BYTE:
        return None
    return Packing(prod(constant.shape) * (_BYTE // bits), f"uint{bits}")


def _pack_experts(constant: Constant, attributes: Mapping[str, Any]) -> Packing | None:
    return _pack_table(constant, {"bits": attributes.get("expert_weight_bits", 4)})


_BYTE = 8
#: (operator, position) -> function to how the operand is packed.
_PACKED: Mapping[tuple[str, int], Callable[[Constant, Mapping[str, Any]], Packing | None]] = {
    ("com.microsoft.GatherBlockQuantized", 0): _pack_table,
    ("com.microsoft.MatMulBnb4", 1): _pack_floats,
    ("com.microsoft.MatMulNBits", 1): _pack_matrix,
    ("com.microsoft.QMoE", 2): _pack_experts,
    ("com.microsoft.QMoE", 5): _pack_experts,
    ("com.microsoft.QMoE", 8): _pack_experts,
}
