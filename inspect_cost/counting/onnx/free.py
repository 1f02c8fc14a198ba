"""Operators that move, make, look up or describe data but compute nothing.

They are listed by name because knowing that an operator is free differs from not knowing it.
"""

from inspect_cost.counting.onnx.call import NodeCall, Rule
from inspect_cost.values.cost import FREE, OpCost

_MOVES = """
    Cast CastLike BitCast CenterCropPad Compress Concat DepthToSpace Dropout Expand Flatten Identity
    MaxUnpool Pad Reshape ReverseSequence Slice SpaceToDepth Split Squeeze TensorScatter Tile
    Transpose Trilu Unique Unsqueeze
"""
_LOOKUPS = "Gather GatherElements GatherND NonZero OneHot"
_FACTORIES = """
    BlackmanWindow Bernoulli Constant ConstantOfShape EyeLike HammingWindow HannWindow
    MelWeightMatrix Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike Range
"""
_QUESTIONS = "Shape Size OptionalHasElement"
_LOGIC = "And BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Not Or Xor"
_CONTAINERS = """
    ConcatFromSequence Optional OptionalGetElement SequenceAt SequenceConstruct SequenceEmpty
    SequenceErase SequenceInsert SequenceLength SplitToSequence
"""
_TEXT = "RegexFullMatch StringConcat StringNormalizer StringSplit"
_MICROSOFT = "ExpandDims GatherND Range Trilu nchwc.ReorderInput nchwc.ReorderOutput"


def free(_call: NodeCall) -> OpCost | None:
    """Return no cost, for an operator without arithmetic."""
    return FREE


_ONNX = (_MOVES, _LOOKUPS, _FACTORIES, _QUESTIONS, _LOGIC, _CONTAINERS, _TEXT)
_NAMES = [f"onnx.{name}" for group in _ONNX for name in group.split()]
_NAMES += [f"com.microsoft.{name}" for name in _MICROSOFT.split()]

FREE_OPERATORS: dict[str, Rule] = dict.fromkeys(_NAMES, free)
