"""What a user names: a preset of the zoo, a model of their own, an ONNX file.

`resolve` is the only code that looks at a MODEL string. A new kind of subject is one file, with a
class that satisfies `Subject` and a `SubjectKind`, and one line in `KINDS`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

import model_zoo
from inspect_cost.calls.inputs import InputSpec, parse_inputs
from inspect_cost.subjects.subject import Conditions, Request, Subject, SubjectKind, load_late
from inspect_cost.values.errors import UsageError

SETTINGS = "`settings` is for presets of the zoo"
LOOPS = ("`trip_counts` is for ONNX files", "Other models run their own loops.")

RUNS = ("`verify` is for ONNX files", "Compare with other counters: inspect-cost crosscheck.")

#: Asked in this order; the first that claims a name makes the subject.
KINDS: tuple[SubjectKind, ...] = (
    SubjectKind(
        title="ONNX files",
        written="an ONNX file, model.onnx",
        claims=lambda name: name.lower().endswith(".onnx"),
        takes=frozenset({"input_len", "inputs", "axes", "trip_counts", "verify"}),
        make=load_late("inspect_cost.subjects.onnx", "OnnxSubject"),
        refusals={
            "settings": (
                "`settings` is for presets of the zoo",
                "Export the model with it instead.",
            ),
            "batch": ("`batch` is for PyTorch models", "Give the batch in a shape: NAME=8,1,L."),
        },
    ),
    SubjectKind(
        title="models of your own",
        written="your own code, package.module:Net or file.py:make_model",
        claims=lambda name: ":" in name,
        takes=frozenset({"input_len", "inputs", "axes", "batch"}),
        make=load_late("inspect_cost.subjects.python", "PythonSubject"),
        refusals={
            "settings": (SETTINGS, "Set it in your factory instead."),
            "trip_counts": LOOPS,
            "verify": RUNS,
        },
    ),
    SubjectKind(
        title="presets of the zoo",
        written="a preset of the zoo, such as wavegan",
        claims=lambda name: name in model_zoo.PRESETS,
        takes=frozenset({"input_len", "settings", "batch"}),
        make=load_late("inspect_cost.subjects.preset", "PresetSubject"),
        names=model_zoo.names,
        refusals={
            "inputs": (
                "{name} makes its own inputs",
                "Give `input_len` for its length, and no `inputs`.",
            ),
            "axes": ("{name} has no axes to size", "Give `input_len` for its length."),
            "trip_counts": LOOPS,
            "verify": RUNS,
        },
    ),
)

__all__ = [
    "KINDS",
    "Conditions",
    "Request",
    "Subject",
    "SubjectKind",
    "open_request",
    "resolve",
    "resolve_all",
]


def resolve(
    name: str,
    *,
    input_len: int | None = None,
    inputs: Sequence[InputSpec | str] | Mapping[str, Any] = (),
    axes: Mapping[str, int] | None = None,
    settings: Mapping[str, Any] | None = None,
    trip_counts: Mapping[str, int] | None = None,
    batch: int = 1,
    verify: bool = False,
    kinds: Sequence[SubjectKind] | None = None,
) -> Subject:
    """Find what a name stands for. Nothing is built, run or read yet.

    Args:
        name: a preset of the zoo, ``package.module:Net``, ``path/to/file.py:make_model``, or
            ``model.onnx``.
        input_len: samples to generate, or the L in the shapes of inputs.
        inputs: inputs of a model of your own or of a file, ``[name=]SHAPE[:dtype]`` or
            ``[name=]@VALUE[:dtype]``; or name -> value: a number, a list, an array, a path.
        axes: name of an axis in those shapes, or one that a file leaves open -> its size.
        settings: values of a preset's configuration that differ from the published ones.
        trip_counts: name of a Loop of an ONNX graph -> how often it runs.
        batch: inferences in one call.
        verify: compare the count of an ONNX file with what onnxruntime executes.
        kinds: the kinds of subject there are; `KINDS` unless given.

    Raises:
        UsageError: nothing is called that; as `Unsupported`, a parameter makes no sense for it.
    """
    request = Request(
        name=name,
        input_len=input_len,
        inputs=parse_inputs(inputs),
        axes=dict(axes or {}),
        settings=dict(settings or {}),
        trip_counts=dict(trip_counts or {}),
        batch=batch,
        verify=verify,
    )
    return open_request(request, kinds)


def open_request(request: Request, kinds: Sequence[SubjectKind] | None = None) -> Subject:
    """Find what a request names, as `resolve` does.

    Raises:
        UsageError: as of `resolve`.
    """
    return _kind_of(request.name, kinds or KINDS).open(request)


def resolve_all(
    names: Sequence[str], request: Request, kinds: Sequence[SubjectKind] | None = None
) -> list[Subject]:
    """Find what several names stand for; each takes those parameters that make sense for it.

    Args:
        names: as of `resolve`.
        request: the parameters; its name does not matter.
        kinds: the kinds of subject there are; `KINDS` unless given.

    Raises:
        UsageError: as of `resolve`; as `Unsupported`, a parameter makes sense for none of them.
    """
    request = replace(request, shared=len(names) > 1)
    found = [(name, _kind_of(name, kinds or KINDS)) for name in names]
    for parameter in request.given:
        if found and not any(parameter in kind.takes for _, kind in found):
            name, kind = found[0]
            raise kind.refuse(parameter, name)
    return [kind.open(_restrict(replace(request, name=name), kind.takes)) for name, kind in found]


def _restrict(request: Request, takes: frozenset[str]) -> Request:
    """Leave out the parameters that a kind does not take."""
    defaults = Request("")
    dropped = {name: getattr(defaults, name) for name in request.given if name not in takes}
    return replace(request, **dropped)


def _kind_of(name: str, kinds: Sequence[SubjectKind]) -> SubjectKind:
    for kind in kinds:
        if kind.claims(name):
            return kind
    if name.lower().endswith(".py"):
        raise UsageError(f"{name} alone names no model", "Give path/to/file.py:ClassOrFactory.")
    known = [known for kind in kinds for known in kind.names()]
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.65)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    written = "; ".join(kind.written for kind in kinds)
    raise UsageError(f"no model is called {name!r}; {hint}", f"MODEL is one of: {written}.")
