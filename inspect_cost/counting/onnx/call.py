"""The call of one node, as rules see it, and the type of a rule."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from onnx import NodeProto

from inspect_cost.counting.onnx.value import Value
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError, one_line

#: Names of the domain of ONNX's own operators.
STANDARD = ("", "ai.onnx")


@dataclass(frozen=True)
class NodeCall:
    """A node with its operands and results.

    Attributes:
        node: the node in the file.
        version: opset version of the node's domain.
        attributes: attributes by name, with references to a function's attributes resolved.
        inputs: operands; None for an optional one that is omitted.
        outputs: results; None for an optional one that is omitted.
    """

    node: NodeProto
    version: int
    attributes: Mapping[str, Any]
    inputs: Sequence[Value | None]
    outputs: Sequence[Value | None] = ()

    @property
    def operator(self) -> str:
        """Operator's name in reports and tables, such as onnx.Conv or com.microsoft.FusedConv."""
        return get_operator_name(self.node)

    @property
    def label(self) -> str:
        """Node's name or, if it has none, a description by its first result."""
        return get_label(self.node)

    @property
    def x(self) -> Value:
        """First operand."""
        return self.operand(0)

    @property
    def out(self) -> Value:
        """First result."""
        result = self.outputs[0]
        if result is None:
            raise ValueError(f"{self.label} ({self.node.op_type}) has no first result")
        return result

    def operand(self, index: int) -> Value:
        """Return a required operand."""
        value = self.optional(index)
        if value is None:
            raise ValueError(f"{self.label} ({self.node.op_type}) lacks operand {index}")
        return value

    def optional(self, index: int) -> Value | None:
        """Return an optional operand, or None if it is omitted."""
        return self.inputs[index] if index < len(self.inputs) else None

    def has(self, index: int) -> bool:
        """Return whether an optional operand is present."""
        return self.optional(index) is not None

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute's value."""
        return self.attributes.get(name, default)


#: Function from a call to its cost, or to None if the rule cannot tell.
Rule = Callable[[NodeCall], OpCost | None]


class MisfitError(UsageError):
    """Operands do not fit a node."""


@contextmanager
def refuse_malformed(call: NodeCall, advice: str) -> Iterator[None]:
    """Report errors of a rule inside the block as those of a node that violates its definition.

    Raises:
        UsageError: a rule failed on the call.
    """
    try:
        yield
    except UsageError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise MisfitError(
            f"{call.label} ({call.operator}) does not match its definition: {one_line(error, 200)}",
            advice,
        ) from error


def get_operator_name(node: NodeProto) -> str:
    """Return an operator's full name, such as onnx.Conv or com.microsoft.FusedConv."""
    domain = "onnx" if node.domain in STANDARD else node.domain
    return f"{domain}.{node.op_type}"


def get_key(node: NodeProto) -> str:
    """Return the name by which a caller refers to a node: its own, or that of its first result."""
    return node.name or next((name for name in node.output if name), "")


def get_label(node: NodeProto) -> str:
    """Return the node's name or, if it has none, a description by its first result."""
    return node.name or next((f"the node of {name}" for name in node.output if name), node.op_type)
