"""ONNX files: one run of a graph, counted as it stands and run by onnxruntime.

Counting needs no torch, so what runs the file is loaded only when it is run.
"""
# ruff: noqa: PLC0415 - see above

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from onnx import GraphProto, ModelProto, TensorProto, ValueInfoProto

from inspect_cost.calls.inputs import InputSpec
from inspect_cost.counting.law import CostLaw
from inspect_cost.counting.onnx.binding import find_free_inputs, find_open_axes
from inspect_cost.counting.onnx.call import MisfitError, get_key
from inspect_cost.counting.onnx.count import count_onnx
from inspect_cost.counting.onnx.given import bind_values, make_feed, read_arrays
from inspect_cost.counting.onnx.loading import iterate_nodes, load_model
from inspect_cost.counting.onnx.settling import settle
from inspect_cost.counting.onnx.storage import get_type_name
from inspect_cost.counting.options import CountOptions
from inspect_cost.counting.report import CostReport
from inspect_cost.subjects.subject import Conditions, Request
from inspect_cost.values.errors import CountError, Unsupported, UsageError
from inspect_cost.values.identity import Identity, Phase

if TYPE_CHECKING:
    from inspect_cost.calls.call import Call
    from inspect_cost.exporting.onnx import Exported
    from inspect_cost.measuring.workload import Workload

#: The type of an input that is given without one.
UNSAID = "float32"


@dataclass(frozen=True)
class OnnxSubject:
    """One run of an ONNX file.

    Attributes:
        name: path of the file.
        inputs: shapes or values of its inputs, by name or in their order.
        input_len: the L in those; without one, the size of the only axis that is left open.
        trip_counts: name of a Loop's node -> how often it runs, where the graph does not say.
        axes: name of an axis that is left open, or of one in those shapes -> its size.
        verify: whether counts are compared with what onnxruntime executes.
        fed: values that a run is fed beside those: they decide what was counted.
        shared: whether other files are given the same, so that names that this one lacks are left
            out.
    """

    name: str
    inputs: tuple[InputSpec, ...] = ()
    input_len: int | None = None
    trip_counts: Mapping[str, int] = field(default_factory=dict)
    axes: Mapping[str, int] = field(default_factory=dict)
    verify: bool = False
    fed: Mapping[str, Any] = field(default_factory=dict)
    shared: bool = False

    @classmethod
    def of(cls, request: Request) -> Self:
        """Make the subject that a request names."""
        return cls(
            name=request.name,
            inputs=request.inputs,
            input_len=request.input_len,
            trip_counts=dict(request.trip_counts),
            axes=dict(request.axes),
            verify=request.verify,
            shared=request.shared,
        )

    @property
    def identity(self) -> Identity:
        """Its path; its title is the file's name."""
        return Identity(self.name, "")

    @property
    def phases(self) -> tuple[Phase, ...]:
        """One run of the graph."""
        given = ", ".join(map(str, self.inputs))
        length = f"L = {self.input_len:,}" if self.input_len is not None else ""
        axes = ", ".join(f"{name} = {size:,}" for name, size in self.axes.items())
        sizes = ", ".join(filter(None, (given, length, axes)))
        return (Phase(description=" at ".join(filter(None, ("one run", sizes)))),)

    def count(self, phase: Phase, options: CountOptions) -> CostReport:
        """Count one run, without torch.

        Raises:
            UsageError: as `count_onnx`, or what is given does not fit the graph's inputs.
        """
        del phase

        _check_dtype(options.dtype)
        self._check_options(options)
        return self._count(self.input_len, options, verify=self.verify)

    def _count(
        self, length: int | None, options: CountOptions, *, verify: bool = False
    ) -> CostReport:
        model = load_model(self.name)
        shapes, values = self._read_inputs(model.graph, length)
        return count_onnx(
            self.name,
            input_shapes=shapes,
            inputs=values,
            op_costs=options.op_costs,
            trip_counts=self._list_trip_counts(model),
            verify=verify,
            title=Path(self.name).stem,
        )

    def law(self, phase: Phase, options: CountOptions, period: int | None = None) -> CostLaw:
        """Find the cost as a polynomial in the L of the inputs' shapes, or the only open axis.

        Raises:
            Unsupported: no shape has an L, and the file leaves not one axis open for it.
            UsageError: as of `count`.
            CountError: no law holds.
        """
        del phase
        from inspect_cost.counting.law_search import find_law

        _check_dtype(options.dtype)
        self._check_options(options)
        try:
            self._read_inputs(load_model(self.name).graph, self.input_len or 1)
        except UsageError as error:
            if error.field != "input_len":
                raise
            raise Unsupported(
                f"no length to find a law in: {error}", error.advice, field="inputs"
            ) from error

        @cache
        def counted(length: int) -> CostReport:
            try:
                return self._count(length, options)
            except MisfitError as error:
                raise CountError(str(error), error.advice) from error

        return find_law(counted, period=period, at=self.input_len)

    def call(self, phase: Phase, conditions: Conditions) -> "Call":
        """Open a session of onnxruntime, with the inputs' values, or random ones.

        Raises:
            UsageError: there is no such file, or what is given does not fit its inputs.
            MeasurementError: onnxruntime refuses the file, or cannot run it.
        """
        del phase
        from inspect_cost.calls.devices import find_device
        from inspect_cost.measuring.backends.onnxruntime import make_onnx_call

        _check_dtype(conditions.dtype)
        graph = load_model(self.name).graph
        shapes, given = self._read_inputs(graph, self.input_len)
        arrays = read_arrays(graph, {**given, **self.fed})
        feed = make_feed(bind_values(graph, shapes, arrays), arrays, conditions.seed)
        device = find_device(conditions.device)
        return make_onnx_call(Path(self.name), feed, device, conditions.threads)

    def workload(self, phase: Phase, conditions: Conditions) -> "Workload":
        """Describe the run for measuring: what decides a branch that was counted is fed.

        Raises:
            Unsupported: a type is given, which the file fixes.
        """
        from inspect_cost.measuring.workload import Workload

        _check_dtype(conditions.dtype)
        model = load_model(self.name)
        shapes, values = self._read_inputs(model.graph, self.input_len)
        trips = self._list_trip_counts(model)
        settled = settle(self.name, input_shapes=shapes, inputs=values, trip_counts=trips)
        subject = replace(self, fed=settled.feed)
        return Workload(
            make=partial(subject.call, phase, conditions),
            notes=settled.notes,
            output=phase.output,
            device=conditions.device,
            native_backend="onnxruntime",
        )

    def peer_call(self, phase: Phase) -> "Call":
        """Refuse: other counters take PyTorch models."""
        del phase
        raise Unsupported(
            f"other counters are for PyTorch models, and {self.name} is an ONNX file",
            "Inspect it with `verify=True`: its count is compared with what onnxruntime executes.",
        )

    def export(
        self, phase: Phase, output: Path, *, weights: Path | None = None, seed: int = 0
    ) -> "Exported":
        """Refuse: it is an ONNX file already."""
        del phase, output, weights, seed
        raise Unsupported(
            f"{self.name} is an ONNX file already", f"Copy it, or count it: {self._command}."
        )

    @property
    def _command(self) -> str:
        return f"inspect-cost {self.name}"

    def _check_options(self, options: CountOptions) -> None:
        if options != CountOptions(op_costs=options.op_costs):
            raise self._unsupported("`policy`, `attention`, `backward` and `module_costs` are")

    def _unsupported(self, what: str) -> Unsupported:
        return Unsupported(
            f"{what} for PyTorch models, and {self.name} is an ONNX file",
            f"Count the file as it is: {self._command}.",
        )

    def _read_inputs(
        self, graph: GraphProto, length: int | None
    ) -> tuple[dict[str, Sequence[int] | int], dict[str, Any]]:
        """Return the sizes and the values that a user gave, by names of the graph."""
        entries = find_free_inputs(graph)
        names = [entry.name for entry in entries]
        inputs = [i for i in self.inputs if not self.shared or i.name in {None, *names}]
        named = name_inputs(inputs, names)
        _check_types(named, entries)
        values = {name: spec.content.load() for name, spec in named.items() if spec.content}
        return size_inputs(self.name, graph, named, length, self._list_axes(graph, named)), values

    def _list_axes(self, graph: GraphProto, inputs: Mapping[str, InputSpec]) -> dict[str, int]:
        """Return the sizes of axes, of those that the file or a shape has if files share them."""
        known = {*find_open_axes(graph), *(size for i in inputs.values() for size in i.shape)}
        return {axis: size for axis, size in self.axes.items() if not self.shared or axis in known}

    def _list_trip_counts(self, model: ModelProto) -> dict[str, int]:
        """Return the numbers of iterations; of the loops that the file has if files share them."""
        loops = {get_key(node) for node in iterate_nodes(model) if node.op_type == "Loop"}
        return {n: trips for n, trips in self.trip_counts.items() if not self.shared or n in loops}


def _check_dtype(dtype: str | None) -> None:
    if dtype is not None:
        raise Unsupported(
            "`dtype` is for PyTorch models", "Export the model in that type.", field="dtype"
        )


def size_inputs(
    path: str,
    graph: GraphProto,
    inputs: Mapping[str, InputSpec],
    length: int | None,
    axes: Mapping[str, int],
) -> dict[str, Sequence[int] | int]:
    """Return the sizes that a user gave, by the names of the graph's inputs and open axes.

    Args:
        path: name of the file.
        graph: its graph.
        inputs: name of an input -> its shape or values.
        length: the L in shapes; without one there, the size of the only axis that is open yet.
        axes: sizes of other axes, in shapes or in the file.

    Raises:
        UsageError: they do not fit the graph's inputs.
    """
    own = find_open_axes(graph)
    shaped = {name: spec for name, spec in inputs.items() if spec.content is None}
    in_shapes = {size for spec in shaped.values() for size in spec.shape if isinstance(size, str)}
    unknown = [axis for axis in axes if axis not in {*own, *in_shapes}]
    if unknown:
        raise UsageError(
            f"{path} leaves no axis {unknown[0]!r} open",
            f"Its open axes are: {', '.join(own) or 'none with a name'}.",
            field="axes",
        )
    sizes: dict[str, Sequence[int] | int] = {
        **{name: size for name, size in axes.items() if name in own},
        **{name: spec.sizes(length, axes) for name, spec in shaped.items()},
    }
    if length is not None and not any(None in spec.shape for spec in shaped.values()):
        bound = {*axes, *_list_bound_axes(graph, shaped)}
        sizes[_only_open_axis(path, [axis for axis in own if axis not in bound])] = length
    return sizes


def _list_bound_axes(graph: GraphProto, shaped: Mapping[str, InputSpec]) -> list[str]:
    """Return the names of the axes of inputs whose shapes are given."""
    given = [entry for entry in find_free_inputs(graph) if entry.name in shaped]
    return [dim.dim_param for entry in given for dim in entry.type.tensor_type.shape.dim]


def _check_types(inputs: Mapping[str, InputSpec], entries: Sequence[ValueInfoProto]) -> None:
    """Refuse a type that is not the file's: the file fixes the types of its inputs."""
    known = {entry.name: entry.type.tensor_type.elem_type for entry in entries}
    for name, spec in inputs.items():
        elements = known.get(name, TensorProto.UNDEFINED)
        own = get_type_name(elements)
        if spec.dtype not in {"", UNSAID, own} and elements != TensorProto.UNDEFINED:
            raise UsageError(
                f"the input {name} is of {own}, and {spec.dtype} was given",
                "The file fixes it: give the shape or the values alone.",
                field="inputs",
            )


def name_inputs(inputs: Sequence[InputSpec], names: Sequence[str]) -> dict[str, InputSpec]:
    """Return inputs by name; those without a name take the other inputs, in their order.

    Raises:
        UsageError: one is given twice, or there are more than the graph has.
    """
    given = [spec.name for spec in inputs if spec.name is not None]
    twice = [name for name in given if given.count(name) > 1]
    if twice:
        raise UsageError(f"the input {twice[0]} is given twice", "Give it once.", field="inputs")
    named = {spec.name: spec for spec in inputs if spec.name is not None}
    rest = [name for name in names if name not in named]
    unnamed = [spec for spec in inputs if spec.name is None]
    if len(unnamed) > len(rest):
        raise UsageError(
            f"{len(inputs)} inputs are given, and the graph has {len(names)}",
            f"Its inputs are: {', '.join(names) or 'none'}.",
            field="inputs",
        )
    return {**named, **dict(zip(rest, unnamed, strict=False))}


def _only_open_axis(path: str, axes: Sequence[str]) -> str:
    if len(axes) == 1:
        return axes[0]
    if not axes:
        raise UsageError(
            f"{path} leaves no named axis open that `input_len` could set",
            "Leave it out, or say which axis it is: an `inputs` entry NAME=1,L.",
            field="input_len",
        )
    raise UsageError(
        f"{path} leaves several axes open: {', '.join(axes)}",
        f"Give each in `axes`, such as {axes[0]}=1, or say which is `input_len`: an `inputs` entry "
        "NAME=1,L.",
        field="input_len",
    )
