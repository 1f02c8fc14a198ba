"""One call of an operator, as rules see it, and the type of a rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto

from inspect_cost.counting.onnx.value import Value
from inspect_cost.values.cost import OpCost

#: The names of the domain of ONNX's own operators.
STANDARD = ("", "ai.onnx")


@dataclass(frozen=True)
class NodeCall:
    """A node with what goes in and comes out.

    Attributes:
        node: as it stands in the file.
        version: of its domain's operators that the file uses.
        attributes: by name; those of a function's caller are filled in.
        inputs: None for an optional one that is left out.
        outputs: likewise.
    """

    node: NodeProto
    version: int
    attributes: Mapping[str, Any]
    inputs: Sequence[Value | None]
    outputs: Sequence[Value | None] = ()

    @property
    def operator(self) -> str:
        """Its name in reports and tables: onnx.Conv, com.microsoft.FusedConv."""
        return get_operator_name(self.node)

    @property
    def label(self) -> str:
        """The node's name, or what it makes where it has none."""
        return get_label(self.node)

    @property
    def x(self) -> Value:
        """The first operand."""
        return self.operand(0)

    @property
    def out(self) -> Value:
        """The first result."""
        result = self.outputs[0]
        if result is None:
            raise ValueError(f"{self.label} ({self.node.op_type}) has no first result")
        return result

    def operand(self, index: int) -> Value:
        """An operand that must be there."""
        value = self.optional(index)
        if value is None:
            raise ValueError(f"{self.label} ({self.node.op_type}) lacks operand {index}")
        return value

    def optional(self, index: int) -> Value | None:
        """An operand that may be left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def has(self, index: int) -> bool:
        """Whether an optional operand is there."""
        return self.optional(index) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)


#: From a call to its cost; None where the rule does not know.
Rule = Callable[[NodeCall], OpCost | None]


def get_operator_name(node: NodeProto) -> str:
    """onnx.Conv, com.microsoft.FusedConv."""
    domain = "onnx" if node.domain in STANDARD else node.domain
    return f"{domain}.{node.op_type}"


def get_label(node: NodeProto) -> str:
    """The node's name, or what it makes where it has none."""
    return node.name or next((f"the node of {name}" for name in node.output if name), node.op_type)
