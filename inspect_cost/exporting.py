"""Writing models as ONNX files, each run beside the model itself before it is kept."""

import inspect as signatures
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # has no stubs
import torch
from onnxscript import opset18
from torch import Tensor, nn

import model_zoo
from inspect_cost.errors import CountError, UsageError
from inspect_cost.generation import built_with_weights
from inspect_cost.inputs import InputSpec
from inspect_cost.loading import model_factory, shortened

#: Largest difference that rounding may make, relative to the largest output: phases that are summed
#: over seconds come close to a tenth of it.
TOLERANCE = 1e-2
#: What an output's largest number is taken for at least.
SMALLEST = 1e-30
#: ONNX files hold up to 2 GB; weights beyond this go into a file beside it.
MOST_INLINE_BYTES = 1_500_000_000
#: A model that goes sample by sample is unrolled: each sample's nodes are in the file.
MOST_UNROLLED = 256


class MismatchError(CountError):
    """The exported graph computes something else than the model."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: the ONNX file, and that of its weights where they are apart.
        difference: the largest difference between the outputs of torch and of onnxruntime,
            relative to the largest output.
        note: what the file holds, in words.
    """

    files: tuple[Path, ...]
    difference: float
    note: str


class Generation(nn.Module):
    """A zoo model whose forward is its generation, with the arguments that are no tensors fixed."""

    def __init__(self, model: nn.Module, fixed: Mapping[str, Any]) -> None:
        super().__init__()
        self.model = model
        self.fixed = dict(fixed)

    def forward(self, **tensors: Tensor) -> Tensor:
        """The audio that ``generate`` makes of these."""
        # Without its no_grad, which would hide from the exporter which module does what.
        kind: Any = type(self.model)
        generated: Tensor = signatures.unwrap(kind.generate)(self.model, **tensors, **self.fixed)
        return generated


def exported_preset(
    preset: model_zoo.Preset,
    output: Path,
    samples: int | None = None,
    *,
    weights: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Exported:
    """Export one generating call of a preset, of one clip.

    Args:
        preset: which model.
        output: the file to write.
        samples: how long; a second, or for a model that goes sample by sample one top frame.
        weights: a checkpoint, as for `inspect_cost.generation`; random unless given.
        settings: of the model's configuration, where not as published.
        seed: of the weights, where none are given, and of the inputs of the trial.

    Raises:
        UsageError: a setting is impossible, the weights do not fit, or the length is not for this.
        CountError: the exporter cannot do it; MismatchError: what it wrote computes otherwise.
    """
    overrides = dict(settings or {})
    try:
        config = preset.configuration(**overrides)
        wanted = _length(preset, config, samples)
        model = built_with_weights(preset, weights, overrides, seed)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{preset.name}: {error}", "Mend --set or --weights.") from error
    call = preset.call(config, wanted, "cpu", seed)
    tensors = {k: _first_clip(v) for k, v in call.kwargs.items() if isinstance(v, Tensor)}
    fixed = {k: v for k, v in call.kwargs.items() if k not in tensors}
    clips = max((len(v) for v in call.kwargs.values() if isinstance(v, Tensor)), default=1)
    note = f"{call.samples // clips:,} samples at {preset.sample_rate:,} Hz"
    return exported(Generation(model, fixed).eval(), (), tensors, output, note)


def _length(preset: model_zoo.Preset, config: Any, samples: int | None) -> int:
    """Samples to export: a second, or one round of a model that goes sample by sample."""
    if preset.period is None:
        return samples or preset.sample_rate
    wanted = samples or preset.period(config)
    if wanted > MOST_UNROLLED:
        raise UsageError(
            f"{preset.name} goes sample by sample, and {wanted:,} would be {wanted:,} copies of it",
            f"Export up to {MOST_UNROLLED} samples: --input-len {preset.period(config)}.",
        )
    return wanted


def _first_clip(tensor: Tensor) -> Tensor:
    """Models of a fixed length make clips side by side; one is enough."""
    return tensor[:1]


def exported_model(
    spec: str, output: Path, inputs: Sequence[InputSpec] = (), length: int | None = None
) -> Exported:
    """Export one forward of a user's own model, ``module:Net`` or ``file.py:make_model``.

    Raises:
        UsageError: the model cannot be made.
        CountError: its forward fails, or the exporter cannot do it; MismatchError: what it wrote
            computes otherwise.
    """
    args = tuple(entry.tensor(length) for entry in inputs if entry.name is None)
    kwargs = {entry.name: entry.tensor(length) for entry in inputs if entry.name is not None}
    note = f"one forward of {', '.join(map(str, inputs)) or 'no inputs'}"
    return exported(model_factory(spec)().eval(), args, kwargs, output, note)


def exported(
    model: nn.Module,
    args: tuple[Tensor, ...],
    kwargs: Mapping[str, Tensor],
    output: Path,
    note: str = "",
) -> Exported:
    """Export one call, compare it with torch's, and only then put the file in its place.

    Raises:
        CountError: as `exported_preset`.
    """
    expected = _run_by_torch(model, args, kwargs)
    with tempfile.TemporaryDirectory(dir=output.resolve().parent, prefix=".export-") as folder:
        draft = Path(folder) / output.name
        write_onnx(model, args, kwargs, draft)
        difference = _difference(expected, _run_by_onnxruntime(draft, (*args, *kwargs.values())))
        if not difference <= TOLERANCE:  # also where it is not a number
            raise MismatchError(
                f"the exported graph's outputs differ by {difference:.1e} of the largest from "
                "torch's; it was not kept",
                f"Rounding explains {TOLERANCE:.0e} at most: the exporter took it for another.",
            )
        names = sorted(path.name for path in Path(folder).iterdir())
        for name in names:
            (Path(folder) / name).replace(output.parent / name)
    files = tuple(output.parent / name for name in names)
    return Exported(files, difference, note)


def _run_by_torch(
    model: nn.Module, args: tuple[Tensor, ...], kwargs: Mapping[str, Tensor]
) -> list[Tensor]:
    try:
        with torch.no_grad():
            result = model(*args, **kwargs)
    except Exception as error:
        raise CountError(
            f"the forward failed: {shortened(error)}",
            "Give its inputs with --input [name=]SHAPE[:dtype].",
        ) from error
    flat = torch.utils._pytree.tree_leaves(result)  # noqa: SLF001 - how the exporter orders them
    return [leaf for leaf in flat if isinstance(leaf, Tensor)]


def write_onnx(
    model: nn.Module,
    args: tuple[Tensor, ...],
    kwargs: Mapping[str, Tensor],
    path: Path,
    input_names: Sequence[str] | None = None,
) -> None:
    """Write one call as an ONNX file, its weights beside it where they are too large for one.

    Args:
        model: whose call.
        args: of the call.
        kwargs: of the call.
        path: the file.
        input_names: of the graph's inputs, in the order of the call's tensors.

    Raises:
        CountError: the exporter cannot do it.
    """
    size = sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                model,
                args,
                kwargs=dict(kwargs),
                input_names=input_names,
                dynamo=True,
                verbose=False,
                optimize=False,  # it drops biases that are still 0, and takes minutes
                custom_translation_table={torch.ops.aten.searchsorted.Tensor: _searchsorted},
            )
            assert program is not None  # noqa: S101 - it is where dynamo=True
            program.save(path, external_data=size > MOST_INLINE_BYTES)
    except Exception as error:
        raise CountError(
            f"torch.onnx.export cannot export it: {_cause(error)}",
            "Replace what it names, or export by hand and count the file.",
        ) from error


def _cause(error: BaseException) -> str:
    """The innermost reason: the exporter's own message is its instructions."""
    while error.__cause__ is not None:
        error = error.__cause__
    return shortened(error)


def _searchsorted(
    sorted_sequence: Any,
    values: Any,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """How many numbers are smaller, counted: torch's exporter has no translation of its own."""
    del side, sorter
    op: Any = opset18  # annotated for its own scripts, not for tracing
    row, each = op.Unsqueeze(sorted_sequence, [-2]), op.Unsqueeze(values, [-1])
    before = op.LessOrEqual(row, each) if right else op.Less(row, each)
    counts = op.ReduceSum(op.Cast(before, to=7), [-1], keepdims=0)
    return op.Cast(counts, to=6) if out_int32 else counts


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on what is not installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _run_by_onnxruntime(path: Path, inputs: Sequence[Tensor]) -> list[Any]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]
        given = {n: t.detach().numpy() for n, t in zip(names, inputs, strict=False)}
        return list(session.run(None, given))
    except Exception as error:
        raise MismatchError(
            f"onnxruntime cannot run the exported graph: {shortened(error)}; it was not kept",
            "Export by hand, with another opset, and count the file.",
        ) from error


def _difference(expected: Sequence[Tensor], got: Sequence[Any]) -> float:
    """The largest difference, relative to each output's largest number."""
    if [tuple(e.shape) for e in expected] != [tuple(np.shape(g)) for g in got]:
        return float("inf")
    largest = 0.0
    for e, g in zip(expected, got, strict=True):
        reference = e.detach().numpy().astype(np.float64)
        if reference.size:
            scale = max(float(np.abs(reference).max()), SMALLEST)
            off = float(np.abs(reference - np.asarray(g)).max()) / scale
            largest = off if not off <= largest else largest  # not a number stays
    return largest
