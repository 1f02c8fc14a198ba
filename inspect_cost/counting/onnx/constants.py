"""The tensors that a file stores and the nodes that read them, by the rules of ONNX's scopes.

A name means the tensor of the innermost graph that makes it. Two branches, or two functions, may
use one name for two tensors; a function that is called twice stores its own once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
)

from inspect_cost.counting.onnx.call import STANDARD
from inspect_cost.counting.onnx.inference import read_constant
from inspect_cost.counting.onnx.loading import list_subgraphs
from inspect_cost.counting.onnx.value import count_stored_bytes

#: Operators that return what they read, as far as its meaning goes.
_PASSING_ON = frozenset({"Cast", "Identity"})


class Constant(NamedTuple):
    """A tensor in the file.

    Attributes:
        identity: key that is equal for tensors that are the same bytes of the same file.
        name: name by which nodes read it.
        dtype: ONNX's number of its element type.
        shape: its sizes.
        elements: number of stored elements; zeros of a sparse tensor are not stored.
        bytes: size of the stored elements.
    """

    identity: object
    name: str
    dtype: int
    shape: tuple[int, ...]
    elements: int
    bytes: int


class Read(NamedTuple):
    """An operand of a node.

    Attributes:
        node: the node that reads it.
        position: its position among the node's operands.
        scope: names that the node sees.
    """

    node: NodeProto
    position: int
    scope: "Scope"


@dataclass(eq=False)
class Scope:
    """The names of one graph or function.

    Attributes:
        outer: the scope around it, whose names are visible too.
        constants: name -> tensor that is stored here.
        makers: name that is not stored here -> the node that makes it; None for an input.
        reads: name that belongs here -> its reads, here and in scopes inside.
    """

    outer: "Scope | None" = None
    constants: dict[str, Constant] = field(default_factory=dict)
    makers: dict[str, NodeProto | None] = field(default_factory=dict)
    reads: dict[str, list[Read]] = field(default_factory=lambda: defaultdict(list))

    def find(self, name: str) -> "Scope | None":
        """Return the innermost scope that a name belongs to; None if nothing makes it."""
        if name in self.constants or name in self.makers:
            return self
        return self.outer.find(name) if self.outer else None

    def find_maker(self, name: str) -> NodeProto | None:
        """Return the node that makes a value."""
        owner = self.find(name)
        return owner.makers.get(name) if owner else None


FunctionScopes = Mapping[tuple[str, str, str], tuple[FunctionProto, Scope]]


def list_constants(model: ModelProto) -> Iterator[tuple[Constant, list[Read]]]:
    """Iterate over the tensors of a file, each with the operands that it ends up as."""
    scopes: list[Scope] = []
    _enter_graph(model.graph, None, scopes)
    functions = {
        (f.domain, f.name, f.overload): (f, _enter_function(f, scopes)) for f in model.functions
    }
    for scope in scopes:
        for name, constant in scope.constants.items():
            yield constant, list(_iterate_reads(scope, name, functions, set()))


def _enter_graph(graph: GraphProto, outer: Scope | None, scopes: list[Scope]) -> Scope:
    scope = Scope(outer)
    scopes.append(scope)
    tensors = [*graph.initializer, *(sparse.values for sparse in graph.sparse_initializer)]
    for tensor in tensors:
        scope.constants[tensor.name] = _describe(tensor, tensor.name, scope)
    for entry in graph.input:
        if entry.name not in scope.constants:
            scope.makers[entry.name] = None
    _enter_nodes(graph.node, scope, scopes)
    return scope


def _enter_function(function: FunctionProto, scopes: list[Scope]) -> Scope:
    scope = Scope(makers=dict.fromkeys(function.input))
    scopes.append(scope)
    _enter_nodes(function.node, scope, scopes)
    return scope


def _enter_nodes(nodes: Iterable[NodeProto], scope: Scope, scopes: list[Scope]) -> None:
    """Enter the names that nodes make, then what they read: nodes need not be in order."""
    for node in nodes:
        constant = _read_constant_node(node, scope)
        if constant is not None:
            scope.constants[constant.name] = constant
        else:
            scope.makers.update((name, node) for name in node.output if name)
    for node in nodes:
        for position, name in enumerate(node.input):
            owner = scope.find(name)
            if owner is not None:
                owner.reads[name].append(Read(node, position, scope))
        for attribute in node.attribute:
            for graph in list_subgraphs(attribute):
                _enter_graph(graph, scope, scopes)


def _read_constant_node(node: NodeProto, scope: Scope) -> Constant | None:
    """Return the tensor that a Constant stores in any of its attributes."""
    if node.op_type != "Constant" or node.domain not in STANDARD or not node.output:
        return None
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            continue
        if attribute.type == AttributeProto.TENSOR:
            return _describe(attribute.t, node.output[0], scope)
        if attribute.type == AttributeProto.SPARSE_TENSOR:
            return _describe(attribute.sparse_tensor.values, node.output[0], scope)
        return _describe_list(attribute, node.output[0], scope)
    return None


def _describe(tensor: TensorProto, name: str, scope: Scope) -> Constant:
    elements = prod(tensor.dims)
    place = tuple(sorted((e.key, e.value) for e in tensor.external_data if e.key != "checksum"))
    external = tensor.data_location == TensorProto.EXTERNAL
    size = count_stored_bytes(tensor.data_type, elements)
    identity = place if external else (scope, name)
    return Constant(identity, name, tensor.data_type, tuple(tensor.dims), elements, size)


def _describe_list(attribute: AttributeProto, name: str, scope: Scope) -> Constant:
    """Return the tensor that a number or a list of numbers stands for."""
    array = read_constant(attribute.name, helper.get_attribute_value(attribute))
    dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
    size = count_stored_bytes(dtype, array.size)
    return Constant((scope, name), name, dtype, array.shape, array.size, size)


def _iterate_reads(
    scope: Scope, name: str, functions: FunctionScopes, seen: set[tuple[Any, str]]
) -> Iterator[Read]:
    """Iterate over the operands that a value ends up as, through copies and calls of functions."""
    if (scope, name) in seen:
        return
    seen.add((scope, name))
    for read in scope.reads.get(name, ()):
        node = read.node
        called = functions.get((node.domain, node.op_type, node.overload))
        if called is not None and read.position < len(called[0].input):
            function, inside = called
            yield from _iterate_reads(inside, function.input[read.position], functions, seen)
        elif node.op_type in _PASSING_ON and node.domain in STANDARD:
            yield from _iterate_reads(read.scope, node.output[0], functions, seen)
        else:
            yield read
