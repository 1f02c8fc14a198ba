"""Follow a graph node by node: results by inference, costs by rules, subgraphs by recursion."""

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, ValueInfoProto, helper

from inspect_cost.counting.onnx.call import (
    STANDARD,
    NodeCall,
    Rule,
    refuse_malformed,
)
from inspect_cost.counting.onnx.checks import check_operands
from inspect_cost.counting.onnx.control import CONTROL
from inspect_cost.counting.onnx.executed import Executed, VaryingError
from inspect_cost.counting.onnx.functions import find_function_body
from inspect_cost.counting.onnx.inference import (
    Statements,
    complete_results,
    infer_results,
    read_constant,
)
from inspect_cost.counting.onnx.ledger import Ledger
from inspect_cost.counting.onnx.loading import read_opsets
from inspect_cost.counting.onnx.marking import get_mark
from inspect_cost.counting.onnx.memory import Memory
from inspect_cost.counting.onnx.modules import find_module
from inspect_cost.counting.onnx.order import sort_nodes
from inspect_cost.counting.onnx.outcomes import NeedsValuesError
from inspect_cost.counting.onnx.padding import (
    count_own_filters,
    drop_padding,
    is_padded,
    pass_on_channels,
)
from inspect_cost.counting.onnx.sequences import SEQUENCES
from inspect_cost.counting.onnx.value import (
    UnknownShapeError,
    Value,
    make_known,
    read_tensor,
    read_type,
)
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError

#: Operators that are followed by functions of their own.
SPECIAL = CONTROL.keys() | SEQUENCES.keys()
Scope = ChainMap[str, Value | None]
#: Maximum depth of functions that call functions; ONNX allows no recursion.
DEEPEST = 64


@dataclass(frozen=True)
class Settings:
    """Settings of a whole count.

    Attributes:
        rules: operator -> its rule; the caller's rules take precedence over the table's.
        functions: (domain, name, overload) -> function that the file defines.
        trip_counts: name of a Loop's node -> number of its iterations.
        executed: a run that completes what the graph alone does not tell; None for none.
        class_names: path of a module -> its class, filled in from the nodes' metadata.
        unsettled: labels of the nodes whose results or outcomes depend on values -> whether a run
            would settle them, filled in.
        from_run: label of each node that the run settled -> inputs that were made up for it and
            decide, filled in.
        unset: inputs of a few whole numbers or flags without values: nobody can guess settings.
        choices: input of the graph -> the value that what was counted needs, filled in.
        undecided: label of each node whose outcome was chosen or stated -> the inputs that decide,
            filled in.
        axis_sizes: name of an open axis -> its size.
    """

    rules: Mapping[str, Rule]
    functions: Mapping[tuple[str, str, str], FunctionProto]
    trip_counts: Mapping[str, int] = field(default_factory=dict)
    executed: Executed | None = None
    class_names: dict[str, str] = field(default_factory=dict)
    axis_sizes: Mapping[str, int] = field(default_factory=dict)
    unsettled: dict[str, bool] = field(default_factory=dict)
    from_run: dict[str, frozenset[str]] = field(default_factory=dict)
    unset: frozenset[str] = frozenset()
    choices: dict[str, Any] = field(default_factory=dict)
    undecided: dict[str, frozenset[str]] = field(default_factory=dict)

    def find_unsettled(self, call: NodeCall, made_up: frozenset[str]) -> None:
        """Note a node that depends on values; a run tells nothing if it makes those up."""
        self.unsettled[call.label] = not made_up

    def choose(self, call: NodeCall, outcome: Any, deciding: Value | None) -> None:
        """Note the outcome of an If or a Loop that nothing decides, and the input that would."""
        self.undecided[call.label] = deciding.depends_on if deciding else frozenset()
        if deciding is not None and deciding.depends_on == {call.node.input[0]}:
            self.choices.setdefault(call.node.input[0], outcome)


@dataclass(frozen=True)
class Walk:
    """One pass through a graph or a function.

    Attributes:
        settings: settings of the count.
        ledger: ledger that costs are entered in.
        versions: domain -> opset version in the graph or function.
        scope: values so far, by name, over those of the enclosing graphs.
        given: shapes that the caller gives to results, by name; those inside functions have none.
        attributes: attributes that the function being followed was called with.
        in_every_iteration: whether this pass stands for all iterations of a loop.
        depth: number of functions around this pass.
    """

    settings: Settings
    ledger: Ledger
    versions: Mapping[str, int]
    scope: Scope
    given: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    in_every_iteration: bool = False
    depth: int = 0

    def with_ledger(self, ledger: Ledger, *, in_every_iteration: bool | None = None) -> "Walk":
        """Return this pass with another ledger to enter costs in."""
        every = self.in_every_iteration if in_every_iteration is None else in_every_iteration
        return replace(self, ledger=ledger, in_every_iteration=every)

    def follow_graph(
        self, graph: GraphProto, inputs: Sequence[Value | None], module: str
    ) -> list[Value | None]:
        """Follow a graph that sees the enclosing graphs' values, and return its outputs."""
        walk = replace(self, scope=self.scope.new_child())
        names = [entry.name for entry in graph.input]
        walk.scope.update(zip(names, inputs, strict=False))
        # A stored tensor among the inputs, as IR version 3 demands, is that input's default.
        for name, value in _read_stored_tensors(graph):
            if walk.scope.maps[0].get(name) is None:
                walk.scope[name] = replace(value, constant=True)
        declared = walk._read_declared((*graph.value_info, *graph.output))
        returned = [entry.name for entry in graph.output]
        walk.follow(sort_nodes(graph.node, walk.scope), module, declared, returned)
        return [walk.look_up(name) for name in returned]

    def follow(
        self,
        nodes: Sequence[NodeProto],
        module: str,
        declared: Mapping[str, Value],
        returned: Sequence[str],
    ) -> None:
        """Follow the nodes in order.

        Args:
            nodes: the nodes.
            module: path of the module that runs them, unless they name their own.
            declared: what completes results that do not follow.
            returned: names of the values that outlive the nodes.
        """
        statements = Statements(declared, self.given)
        memory, before = Memory(nodes, returned), self.ledger.peak_bytes
        for index, node in enumerate(nodes):
            own = find_module(node, self.settings.class_names)
            self.ledger.peak_bytes = 0
            results = self._run(node, own or module, statements)
            traced = self._trace_dependence(node, results)
            memory.make(index, node, traced, self.ledger.peak_bytes)
            self.scope.update(
                (name, value) for name, value in zip(node.output, traced, strict=False) if name
            )
        self.ledger.peak_bytes = max(before, memory.peak)

    def _trace_dependence(
        self, node: NodeProto, results: Sequence[Value | None]
    ) -> list[Value | None]:
        """Return results with the inputs that their contents depend on, unless these are known."""
        operands = [self.scope.get(name) for name in node.input]
        inputs = frozenset().union(*(value.depends_on for value in operands if value))
        return [
            replace(v, depends_on=frozenset() if v.data is not None else v.depends_on | inputs)
            if v
            else None
            for v in results
        ]

    def look_up(self, name: str) -> Value | None:
        """Return the value of that name; None for an omitted operand."""
        if not name:
            return None
        if name not in self.scope:
            raise UsageError(f"nothing in the graph makes {name!r}", "Export the model again.")
        return self.scope[name]

    def find_constant(self, graph: GraphProto, name: str) -> float | None:
        """Return the number that a scalar constant of an inner graph holds; None if unknown."""
        for tensor in graph.initializer:
            if tensor.name == name:
                return read_tensor(tensor).scalar
        for node in graph.node:
            if name in node.output and node.op_type == "Constant":
                constant = self._read_constant(_read_attributes(self._fill_in_attributes(node)))
                return constant.scalar if constant else None
        value = self.scope.get(name)
        return value.scalar if value else None

    def _read_declared(self, entries: Iterable[ValueInfoProto]) -> dict[str, Value]:
        """Return what a file declares of results, with the open axes that have sizes by now."""
        sizes = self.settings.axis_sizes
        return {entry.name: read_type(entry.type, "", sizes) for entry in entries}

    def _run(self, node: NodeProto, module: str, statements: Statements) -> Sequence[Value | None]:
        domain = "" if node.domain in STANDARD else node.domain
        version = self.versions.get(domain, 1)
        inputs = [self.look_up(name) for name in node.input]
        node = self._fill_in_attributes(node)
        call = NodeCall(node, version, _read_attributes(node), inputs)
        if call.operator in SPECIAL:
            return self._follow_special(call, module, statements)
        rule = self.settings.rules.get(call.operator)
        body = None if rule else find_function_body(call, self.settings.functions, self.versions)
        if body is not None:
            _check(call)
            return self._follow_body(body, call, module)
        outputs = self._complete(call, self._infer_results(call, statements))
        call = pass_on_channels(replace(call, outputs=outputs))
        _check(call)
        self._enter(call, module, rule)
        return call.outputs

    def _complete(self, call: NodeCall, outputs: Sequence[Value | None]) -> Sequence[Value | None]:
        """Return results whose shapes are known, from a run if need be and if there was one.

        Raises:
            NeedsValuesError: the run's shapes differ between the iterations that this stands for.
        """
        if all(v is None or v.shape is not None or v.items is not None for v in outputs):
            return outputs
        decide = frozenset().union(*(value.depends_on for value in call.inputs if value))
        unset = decide & self.settings.unset
        self.settings.find_unsettled(call, unset)
        if unset:
            return [v and _advise_values(v, unset) for v in outputs]
        if self.settings.executed is None:
            return outputs
        try:
            completed = self.settings.executed.complete(
                call.node, outputs, every=self.in_every_iteration
            )
        except VaryingError as error:
            raise NeedsValuesError(call.label) from error
        if completed != outputs:
            self.settings.from_run[call.label] = decide
        return completed

    def _follow_special(
        self, call: NodeCall, module: str, statements: Statements
    ) -> Sequence[Value | None]:
        """Follow an operator that runs subgraphs or handles sequences."""
        try:
            if call.operator in CONTROL:
                return CONTROL[call.operator](self, call, module)
            results = [_apply_sequence_rule(call)]
            call = replace(call, outputs=results)
            self.ledger.enter(module, call, OpCost())
        except UnknownShapeError as unknown:
            call = replace(call, outputs=complete_results(call, [], statements))
            self._enter_unknown(call, module, str(unknown))
        return call.outputs

    def _enter(self, call: NodeCall, module: str, rule: Rule | None) -> None:
        """Enter the cost that a rule gives, or that it is unknown."""
        if rule is None:
            self.ledger.enter(module, call, None)
            return
        try:
            if self.in_every_iteration:
                _check_sized(call)
            own = drop_padding(call) if is_padded(call) else call
            cost = _apply_rule(rule, own)
            if own is not call:
                self._note_padding(_apply_rule(rule, call), cost)
            self.ledger.enter(module, own, cost)
        except UnknownShapeError as unknown:
            self._enter_unknown(call, module, str(unknown))

    def _note_padding(self, executed: OpCost | None, own: OpCost | None) -> None:
        """Add what is executed on padding."""
        if executed is not None and own is not None:
            self.ledger.padding_macs += executed.macs - own.macs

    def _enter_unknown(self, call: NodeCall, module: str, because: str) -> None:
        """Enter a call whose cost is unknown because of a size.

        Raises:
            UnknownShapeError: the size may be known in each iteration of a loop by itself.
        """
        if self.in_every_iteration:
            raise UnknownShapeError(because)
        self.ledger.enter(module, call, None, because=because)

    def _infer_results(self, call: NodeCall, statements: Statements) -> Sequence[Value | None]:
        if call.operator == "onnx.Constant":
            constant = self._read_constant(call.attributes)
            return [constant and replace(constant, constant=True)]
        return infer_results(call, self.versions, statements)

    def _read_constant(self, attributes: Mapping[str, Any]) -> Value | None:
        if "value" in attributes:
            return read_tensor(attributes["value"])
        if "sparse_value" in attributes:
            sparse = attributes["sparse_value"]
            return Value(sparse.values.data_type, tuple(sparse.dims))
        return next((make_known(read_constant(k, v)) for k, v in attributes.items()), None)

    def _follow_body(
        self, function: FunctionProto, call: NodeCall, module: str
    ) -> list[Value | None]:
        """Follow a function; one that ONNX defines may be executed as a single node."""
        ledger = Ledger()
        results = self.with_ledger(ledger)._follow_function(function, call, module)
        self.ledger.add(ledger)
        mark = get_mark(call.node)
        if not any(get_mark(node) for node in function.node):
            shapes = tuple(value.shape for value in results if value and value.items is None)
            self.ledger.trace(mark, call, shapes, ledger.macs)
        return results

    def _follow_function(
        self, function: FunctionProto, call: NodeCall, module: str
    ) -> list[Value | None]:
        """Follow a function with the call's operands and attributes, and return its results."""
        if self.depth == DEEPEST:
            raise UsageError(f"the function {function.name} calls itself", "Export it again.")
        walk = Walk(
            self.settings,
            self.ledger,
            {**self.versions, **read_opsets(function)},
            ChainMap(dict(zip(function.input, call.inputs, strict=False))),
            {},
            {a.name: a for a in (*function.attribute_proto, *call.node.attribute)},
            self.in_every_iteration,
            self.depth + 1,
        )
        for name in function.input[len(call.inputs) :]:
            walk.scope[name] = None
        declared = walk._read_declared(function.value_info)
        nodes = sort_nodes(function.node, walk.scope)
        walk.follow(nodes, module, declared, function.output)
        wanted = zip(function.output, call.node.output, strict=False)  # the last may be left out
        return [walk.look_up(name) if outside else None for name, outside in wanted]

    def _fill_in_attributes(self, node: NodeProto) -> NodeProto:
        """Return the node with references to its function's attributes resolved.

        An attribute that refers to one which the function's caller did not give is dropped.
        """
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


def _read_stored_tensors(graph: GraphProto) -> Iterator[tuple[str, Value]]:
    """Iterate over the name and value of each tensor that a graph stores."""
    own_filters = count_own_filters(graph)
    for tensor in graph.initializer:
        value = read_tensor(tensor)
        filters = own_filters.get(tensor.name)
        yield tensor.name, replace(value, channels=filters) if filters is not None else value
    for sparse in graph.sparse_initializer:
        yield sparse.values.name, Value(sparse.values.data_type, tuple(sparse.dims))


def _apply_sequence_rule(call: NodeCall) -> Value | None:
    """Return the result of an operator on sequences."""
    with refuse_malformed(call, "Check the file with onnx.checker.check_model."):
        return SEQUENCES[call.operator](call)


def _apply_rule(rule: Rule, call: NodeCall) -> OpCost | None:
    """Return the cost that a rule gives."""
    advice = "Check the file with onnx.checker.check_model, or the cost given in `op_costs`."
    with refuse_malformed(call, advice):
        return rule(call)


def _advise_values(value: Value, unset: frozenset[str]) -> Value:
    """Return a value whose shape is unknown with the advice to give the inputs that decide it."""
    if value.shape is not None or value.items is not None:
        return value
    names = " and ".join(sorted(unset))
    return replace(value, because=f"{value.because}, and `inputs` does not give those of {names}")


def _read_attributes(node: NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _check(call: NodeCall) -> None:
    """Refuse operands that do not fit each other."""
    with refuse_malformed(call, "Check the shapes in `input_shapes`, or export the file again."):
        check_operands(call)


def _check_sized(call: NodeCall) -> None:
    """Refuse a result of unknown size.

    Raises:
        UnknownShapeError: there is one.
    """
    for value in call.outputs:
        if value is not None and not value.sized:
            raise UnknownShapeError(value.because)
