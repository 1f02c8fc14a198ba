"""Writing models as ONNX files, each run beside the model itself before it is kept."""

import inspect as signatures
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # has no stubs
import torch
from torch import Tensor, nn

import model_zoo
from inspect_cost.calls.inputs import InputSpec
from inspect_cost.exporting.writing import write
from inspect_cost.subjects.loading import model_factory, shortened
from inspect_cost.values.errors import CountError, UsageError
from model_zoo.generation import build_with_weights

#: Largest difference that rounding may make, relative to the largest output: phases that are summed
#: over seconds come close to a tenth of it.
TOLERANCE = 1e-2
#: Deviation of random numbers in place of parameters that start at 0.
START_STD = 0.01
#: What an output's largest number is taken for at least.
SMALLEST = 1e-30
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
        weights: a checkpoint, as for `model_zoo.generation.generate_audio`; random unless given.
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
        model = build_with_weights(preset, weights, overrides, seed)
        if weights is None:
            _without_zeros(model, seed)
    except UsageError:
        raise
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{preset.name}: {error}", "Fix `settings`, `weights` or `seed`."
        ) from error
    call = preset.call(config, wanted, "cpu", seed)
    tensors = {k: _first_clip(v) for k, v in call.kwargs.items() if isinstance(v, Tensor)}
    fixed = {k: v for k, v in call.kwargs.items() if k not in tensors}
    clips = max((len(v) for v in call.kwargs.values() if isinstance(v, Tensor)), default=1)
    note = f"{call.samples // clips:,} samples at {preset.sample_rate:,} Hz"
    return exported(Generation(model, fixed).eval(), (), tensors, output, note)


def _without_zeros(model: nn.Module, seed: int) -> None:
    """Random numbers for parameters that start at 0, whose layers would otherwise go uncompared."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=START_STD, generator=generator)


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
        write(model, args, kwargs, draft)
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
