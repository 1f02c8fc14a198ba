"""Following a graph node by node: results by inference, costs by rules, subgraphs by recursion."""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TypeProto, helper

from inspect_cost.counting.onnx import inference
from inspect_cost.counting.onnx.book import Book
from inspect_cost.counting.onnx.call import STANDARD, Call, Rule, label, operator_name
from inspect_cost.counting.onnx.control import CONTROL
from inspect_cost.counting.onnx.functions import function_body
from inspect_cost.counting.onnx.loading import opsets
from inspect_cost.counting.onnx.modules import module_of
from inspect_cost.counting.onnx.order import check_order
from inspect_cost.counting.onnx.sequences import SEQUENCES
from inspect_cost.counting.onnx.value import UnknownShapeError, Value, known, of_tensor
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError

Scope = ChainMap[str, Value | None]
#: Functions that call functions, this deep at most; ONNX allows no recursion.
DEEPEST = 64


@dataclass(frozen=True)
class Settings:
    """What holds for a whole count.

    Attributes:
        rules: operator -> its cost; the caller's stand before the table's.
        functions: (domain, name, overload) -> the file's own functions.
        trip_counts: name of a Loop's node -> how often it runs.
        class_names: path of a module -> its class, as the nodes tell; filled on the way.
    """

    rules: Mapping[str, Rule]
    functions: Mapping[tuple[str, str, str], FunctionProto]
    trip_counts: Mapping[str, int] = field(default_factory=dict)
    class_names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Walk:
    """One way through a graph or a function.

    Attributes:
        settings: of the count.
        book: where costs are entered.
        versions: domain -> version of its operators in the graph or function.
        scope: the values so far, by name, and those of the graphs around.
        attributes: of the call of the function that is followed.
        in_every_iteration: whether this stands for all iterations of a loop.
        depth: of functions within functions.
    """

    settings: Settings
    book: Book
    versions: Mapping[str, int]
    scope: Scope
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    in_every_iteration: bool = False
    depth: int = 0

    def writing_to(self, book: Book, *, in_every_iteration: bool | None = None) -> "Walk":
        """The same, into another book."""
        every = self.in_every_iteration if in_every_iteration is None else in_every_iteration
        return replace(self, book=book, in_every_iteration=every)

    def inside(
        self, graph: GraphProto, inputs: Sequence[Value | None], module: str
    ) -> list[Value | None]:
        """Follow a graph that sees what is around it; returns its outputs."""
        walk = replace(self, scope=self.scope.new_child())
        for tensor in graph.initializer:
            walk.scope[tensor.name] = of_tensor(tensor)
        for sparse in graph.sparse_initializer:
            values = sparse.values
            walk.scope[values.name] = Value(values.data_type, tuple(sparse.dims))
        names = [entry.name for entry in graph.input]
        walk.scope.update(zip(names, inputs, strict=False))
        check_order(graph.node, walk.scope)
        declared = {entry.name: entry.type for entry in (*graph.value_info, *graph.output)}
        walk.follow(graph.node, module, declared)
        return [walk.value(entry.name) for entry in graph.output]

    def follow(
        self, nodes: Sequence[NodeProto], module: str, declared: Mapping[str, TypeProto]
    ) -> None:
        """Every node in turn."""
        for node in nodes:
            own = module_of(node, self.settings.class_names)
            made = self._run(node, own or module, declared)
            self.scope.update(
                (name, value) for name, value in zip(node.output, made, strict=False) if name
            )

    def value(self, name: str) -> Value | None:
        """What is known by a name; None for an operand that is left out."""
        if not name:
            return None
        if name not in self.scope:
            raise UsageError(f"nothing in the graph makes {name!r}", "Export the model again.")
        return self.scope[name]

    def constant_in(self, graph: GraphProto, name: str) -> float | None:
        """The only number of a constant of a graph inside this one."""
        for tensor in graph.initializer:
            if tensor.name == name:
                return of_tensor(tensor).scalar
        for node in graph.node:
            if name in node.output and node.op_type == "Constant":
                constant = self._constant(_attributes(self._filled_in(node)))
                return constant.scalar if constant else None
        value = self.scope.get(name)
        return value.scalar if value else None

    def _run(
        self, node: NodeProto, module: str, declared: Mapping[str, TypeProto]
    ) -> Sequence[Value | None]:
        domain = "" if node.domain in STANDARD else node.domain
        version = self.versions.get(domain, 1)
        inputs = [self.value(name) for name in node.input]
        node = self._filled_in(node)
        call = Call(node, version, _attributes(node), inputs)
        name = operator_name(node)
        try:
            if name in CONTROL:
                return CONTROL[name](self, call, module)
            if name in SEQUENCES:
                call = replace(call, outputs=[_sequenced(call)])
                self.book.enter(module, call, OpCost())
                return call.outputs
            return self._counted(call, module, declared)
        except UnknownShapeError as unknown:
            raise UsageError(
                f"{label(node)} ({name}) needs a shape that is not known: {unknown}",
                "State shapes in the file (value_info), or give the inputs' with --input.",
            ) from unknown

    def _counted(
        self, call: Call, module: str, declared: Mapping[str, TypeProto]
    ) -> Sequence[Value | None]:
        rule = self.settings.rules.get(call.operator)
        body = None if rule else function_body(call, self.settings.functions, self.versions)
        if body is not None:
            return self._called(body, call, module)
        outputs = self._results(call, declared)
        call = replace(call, outputs=outputs)
        if rule is None:
            self.book.enter(module, call, None, moved=_bytes_known(call))
        else:
            self.book.enter(module, call, _cost(rule, call))
        return outputs

    def _results(self, call: Call, declared: Mapping[str, TypeProto]) -> Sequence[Value | None]:
        if call.operator == "onnx.Constant":
            return [self._constant(call.attributes)]
        return inference.results(call, self.versions, declared)

    def _constant(self, attributes: Mapping[str, Any]) -> Value | None:
        if "value" in attributes:
            return of_tensor(attributes["value"])
        if "sparse_value" in attributes:
            sparse = attributes["sparse_value"]
            return Value(sparse.values.data_type, tuple(sparse.dims))
        return next((known(inference.constant(k, v)) for k, v in attributes.items()), None)

    def _called(self, function: FunctionProto, call: Call, module: str) -> list[Value | None]:
        """Follow a function with its operands and attributes."""
        if self.depth == DEEPEST:
            raise UsageError(f"the function {function.name} calls itself", "Export it again.")
        walk = Walk(
            self.settings,
            self.book,
            {**self.versions, **opsets(function)},
            ChainMap(dict(zip(function.input, call.inputs, strict=False))),
            {a.name: a for a in (*function.attribute_proto, *call.node.attribute)},
            self.in_every_iteration,
            self.depth + 1,
        )
        for name in function.input[len(call.inputs) :]:
            walk.scope[name] = None
        check_order(function.node, walk.scope)
        declared = {entry.name: entry.type for entry in function.value_info}
        walk.follow(function.node, module, declared)
        wanted = zip(function.output, call.node.output, strict=False)  # the last may be left out
        return [walk.value(name) if outside else None for name, outside in wanted]

    def _filled_in(self, node: NodeProto) -> NodeProto:
        """The node with its function's attributes where it refers to them; others are left out."""
        if not any(attribute.ref_attr_name for attribute in node.attribute):
            return node
        filled = NodeProto()
        filled.CopyFrom(node)
        del filled.attribute[:]
        for attribute in node.attribute:
            given = attribute
            if attribute.ref_attr_name:
                given = self.attributes.get(attribute.ref_attr_name)
            if given is not None:
                filled.attribute.add().CopyFrom(given)
                filled.attribute[-1].name = attribute.name
        return filled


def _sequenced(call: Call) -> Value | None:
    """What an operator on sequences returns."""
    try:
        return SEQUENCES[call.operator](call)
    except UsageError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"{call.label} ({call.operator}) is not as its definition says: {error}",
            "Check the file with onnx.checker.check_model.",
        ) from error


def _cost(rule: Rule, call: Call) -> OpCost | None:
    """What a rule says; one that stumbles met a node that is not as its operator is defined."""
    try:
        return rule(call)
    except UsageError:
        raise
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"{call.label} ({call.operator}) is not as its definition says: {error}",
            "Check the file with onnx.checker.check_model, or the cost that you gave.",
        ) from error


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _bytes_known(call: Call) -> int:
    """Bytes of the operands and results whose shapes are known."""
    values = [v for v in (*call.inputs, *call.outputs) if v and v.shape is not None]
    return sum(value.bytes for value in values)
