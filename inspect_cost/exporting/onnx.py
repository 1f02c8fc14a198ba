"""Writing calls as ONNX files, each run beside the model itself before it is kept."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import model_zoo
from inspect_cost.calls.call import Call, eval_mode
from inspect_cost.calls.inputs import InputSpec, arguments
from inspect_cost.exporting.verify import check_against_torch, run_by_torch
from inspect_cost.exporting.writing import make_traceable, write_onnx
from inspect_cost.subjects.loading import model_factory
from inspect_cost.values.errors import UsageError
from model_zoo.generation import build_with_weights

#: Deviation of random numbers in place of parameters that start at 0.
START_STD = 0.01
#: A model that goes sample by sample is unrolled: each sample's nodes are in the file.
MOST_UNROLLED = 256


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: the ONNX file, and that of its weights if they are apart.
        difference: largest difference between the outputs of torch and of onnxruntime, relative to
            the largest output.
        note: contents of the file, in words.
    """

    files: tuple[Path, ...]
    difference: float
    note: str


def export_call(
    call: Call, output: Path, note: str = "", input_names: Sequence[str] | None = None
) -> Exported:
    """Export a call, compare the graph's outputs with torch's, and only then put it in its place.

    Args:
        call: what is exported; its tensors become the graph's inputs, all else is fixed.
        output: the file to write.
        note: contents of the file, in words.
        input_names: names of the graph's inputs, in the order of the call's tensors; those of the
            parameters unless given.

    Raises:
        UsageError: something in the call has no values.
        CountError: the call fails, or the exporter cannot do it.
        MismatchError: the graph computes something else, and was not kept.
    """
    traceable = make_traceable(call, input_names)
    with (
        eval_mode(traceable.module),
        tempfile.TemporaryDirectory(dir=output.resolve().parent, prefix=".export-") as folder,
    ):
        expected = run_by_torch(traceable)
        draft = Path(folder) / output.name
        write_onnx(traceable, draft)
        difference = check_against_torch(draft, traceable, expected)
        files = _move_files(Path(folder), output.parent)
    return Exported(files, difference, note)


def _move_files(source: Path, target: Path) -> tuple[Path, ...]:
    names = sorted(path.name for path in source.iterdir())
    return tuple((source / name).replace(target / name) for name in names)


def export_preset(
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
        samples: how many to generate; a second of audio, or one top frame of a model that goes
            sample by sample, unless given.
        weights: a checkpoint, as for `model_zoo.generation.generate_audio`; random unless given.
        settings: settings of the model that differ from the published ones.
        seed: seed of random weights, and of the inputs that are compared.

    Raises:
        UsageError: a setting is impossible, the weights do not fit, or it is too long to unroll.
        CountError: as of `export_call`.
    """
    overrides = dict(settings or {})
    try:
        config = preset.configuration(**overrides)
        wanted = _choose_length(preset, config, samples)
        model = build_with_weights(preset, weights, overrides, seed)
    except UsageError:
        raise
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{preset.name}: {error}", "Fix `settings`, `weights` or `seed`."
        ) from error
    if weights is None:
        _fill_zeros(model, seed)
    made = preset.call(config, wanted, "cpu", seed)
    kwargs = {name: _first_clip(value) for name, value in made.kwargs.items()}
    clips = max((len(v) for v in made.kwargs.values() if isinstance(v, Tensor)), default=1)
    note = f"{made.samples // clips:,} samples at {preset.sample_rate:,} Hz"
    generate: Any = model.generate
    return export_call(Call.of(generate, **kwargs), output, note)


def _fill_zeros(model: nn.Module, seed: int) -> None:
    """Fill parameters that start at 0 with random numbers; their layers would go uncompared."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=START_STD, generator=generator)


def _choose_length(preset: model_zoo.Preset, config: Any, samples: int | None) -> int:
    """Return the samples to export: a second of audio, or one round of a stepwise model."""
    if preset.period is None:
        return samples or preset.sample_rate
    wanted = samples or preset.period(config)
    if wanted > MOST_UNROLLED:
        raise UsageError(
            f"{preset.name} goes sample by sample, and {wanted:,} would be {wanted:,} copies of it",
            f"Export up to {MOST_UNROLLED} `samples`, such as {preset.period(config)}.",
            field="samples",
        )
    return wanted


def _first_clip(value: Any) -> Any:
    """Return the first clip of an argument: models of a fixed length make clips side by side."""
    return value[:1] if isinstance(value, Tensor) else value


def export_model(
    spec: str, output: Path, inputs: Sequence[InputSpec] = (), length: int | None = None
) -> Exported:
    """Export one forward of a user's own model, ``module:Net`` or ``file.py:make_model``.

    Raises:
        UsageError: the model cannot be made.
        CountError: as of `export_call`.
    """
    args, kwargs = arguments(inputs, length)
    note = f"one forward of {', '.join(map(str, inputs)) or 'no inputs'}"
    return export_call(Call.of(model_factory(spec)(), *args, **kwargs), output, note)
