"""All rules in one table, and the bytes that a node moves."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from inspect_cost.counting.onnx.attention import ATTENTION
from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.counting.onnx.contraction import CONTRACTIONS
from inspect_cost.counting.onnx.fourier import FOURIER
from inspect_cost.counting.onnx.free import FREE_OPERATORS
from inspect_cost.counting.onnx.linalg import LINALG
from inspect_cost.counting.onnx.normalization import NORMALIZATIONS
from inspect_cost.counting.onnx.pointwise import POINTWISE
from inspect_cost.counting.onnx.quantization import QUANTIZATION
from inspect_cost.counting.onnx.recurrent import RECURRENT
from inspect_cost.counting.onnx.reduction import REDUCTIONS
from inspect_cost.counting.onnx.resampling import RESAMPLING

FAMILIES: tuple[Mapping[str, Rule], ...] = (
    CONTRACTIONS,
    POINTWISE,
    REDUCTIONS,
    NORMALIZATIONS,
    RECURRENT,
    ATTENTION,
    RESAMPLING,
    FOURIER,
    QUANTIZATION,
    LINALG,
    FREE_OPERATORS,
)


def merge_rules(families: tuple[Mapping[str, Rule], ...]) -> Mapping[str, Rule]:
    """Merge all families into one table; an operator that occurs twice is a ValueError."""
    names = Counter(name for family in families for name in family)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(f"operators with two rules: {', '.join(twice)}")
    return MappingProxyType({name: rule for family in families for name, rule in family.items()})


#: Operator, such as onnx.Conv or com.microsoft.FusedConv -> its rule.
ONNX_RULES = merge_rules(FAMILIES)

#: Operators that return a view or a shape of their operand, or a constant of the file.
_VIEWS = frozenset(
    f"onnx.{name}"
    for name in "Constant Flatten Identity Reshape Shape Size Squeeze Unsqueeze Dropout".split()
)
#: Operators that read only as much of their first operand as they return.
_LOOKUPS = frozenset(f"onnx.{name}" for name in "Gather GatherElements GatherND Slice".split())


def count_bytes_moved(call: NodeCall) -> int:
    """Return the bytes that a call reads and writes: operands and results once; views are free.

    Tensors of unknown size count 0.
    """
    if call.operator in _VIEWS:
        return 0
    written = sum(value.known_bytes for value in call.outputs if value)
    operands = [value for value in call.inputs if value]
    if call.operator in _LOOKUPS:
        return written + written + sum(value.known_bytes for value in operands[1:])
    return written + sum(value.known_bytes for value in operands)
