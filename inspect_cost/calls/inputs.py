"""Inputs described by shapes or values: ``[name=]SHAPE[:dtype]`` or ``[name=]@VALUE[:dtype]``."""

import json
import re
from ast import literal_eval
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspect_cost.values.errors import UsageError
from inspect_cost.values.units import parse_length

if TYPE_CHECKING:
    import torch

#: Data types of inputs.
DTYPES = (
    "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128"
).split()
#: Inputs with more elements than this are on the meta device, without values.
LARGEST_REAL_INPUT = 2**24

#: Suffix of a file of values, as numpy.save writes it.
ARRAY_FILE = ".npy"
#: Characters of values that descriptions show.
LONGEST_SHOWN = 40

_SHAPE = re.compile(r"(?P<shape>[^:]*)(?::(?P<dtype>\w+))?", re.ASCII)
_NAMED_VALUE = re.compile(r"(?:(?P<name>.+?)=)?@(?P<value>.*)", re.DOTALL)
#: 1x3x224x224, where an x can be no part of a name.
_CROSSED = re.compile(r"[\dL_\s]+(x[\dL_\s]+)+")


@dataclass(frozen=True)
class Content:
    """Values of an input.

    Attributes:
        literal: a number, nested lists of numbers, an array, or any other literal of Python.
        path: file that numpy.save wrote, which is read instead; "" for none.
    """

    literal: Any = None
    path: str = ""

    def load(self) -> Any:
        """Return the values.

        Raises:
            UsageError: there is no such file, or it holds no array.
        """
        if not self.path:
            return self.literal
        import numpy as np  # noqa: PLC0415 - parsing does not need numpy

        try:
            return np.load(self.path, allow_pickle=False)
        except FileNotFoundError:
            problem, advice = "does not exist", "Check the path."
        except (OSError, ValueError, EOFError) as error:
            problem = f"holds no array of numbers: {error}"
            advice = "Write it with numpy.save."
        raise UsageError(f"the file {self.path} {problem}", advice, field="inputs")

    def __str__(self) -> str:
        """Return it as people write it, or the shape of what is too long for that."""
        shape = getattr(self.literal, "shape", None)
        if shape:
            return f"@values of {tuple(shape)}"
        text = f"@{self.path or json.dumps(self.literal, default=str)}"
        return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


@dataclass(frozen=True)
class InputSpec:
    """One input.

    Attributes:
        name: parameter of the forward, or input of a file, that it is passed to; None for the next
            positional one.
        shape: sizes of a tensor; None stands for the length, L, and a name for that of an axis.
        dtype: name of a torch data type; "" for that of the values.
        content: values; None for made-up ones of that shape.
    """

    name: str | None
    shape: tuple[int | str | None, ...]
    dtype: str
    content: Content | None = None

    def sizes(self, length: int | None, axes: Mapping[str, int] | None = None) -> tuple[int, ...]:
        """Return the shape with the length and the named axes filled in.

        Raises:
            UsageError: the shape has an L and no length was given, or an axis without a size.
        """
        missing = [s for s in self.shape if isinstance(s, str) and s not in (axes or {})]
        if missing:
            raise UsageError(
                f"an input's shape has an axis {missing[0]}, which `axes` gives no size",
                f"Give one, {missing[0]}=N, or write a number in its place.",
                field="axes",
            )
        if None in self.shape and length is None:
            raise UsageError(
                "an input's shape has an L, but there is no `input_len`",
                "Give one, such as `input_len=16000`.",
                field="input_len",
            )
        known = axes or {}
        return tuple(
            size if isinstance(size, int) else known[size] if size else length or 0
            for size in self.shape
        )

    def argument(self, length: int | None, axes: Mapping[str, int] | None = None) -> Any:
        """Return the argument of a forward.

        Values are a tensor if a type is given or they come from a file or an array; numbers, flags,
        lists and dictionaries are passed as Python has them. Without values, it is a tensor.
        """
        if self.content is None:
            return self.tensor(length, axes)
        import torch  # noqa: PLC0415 - parsing does not need torch

        values = self.content.load()
        if not self.dtype and not hasattr(values, "dtype"):
            return values
        dtype = getattr(torch, self.dtype) if self.dtype else None
        try:
            return torch.as_tensor(values, dtype=dtype)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"{self} is no tensor: {error}",
                "Give a number, or lists of numbers that are all of one length.",
                field="inputs",
            ) from error

    def tensor(self, length: int | None, axes: Mapping[str, int] | None = None) -> "torch.Tensor":
        """Return a random tensor of this shape, the same at every call; huge ones have no values.

        Integers are 0 or 1, which are valid in any vocabulary.
        """
        import torch  # noqa: PLC0415 - parsing does not need torch

        sizes, dtype = self.sizes(length, axes), getattr(torch, self.dtype)
        if prod(sizes) > LARGEST_REAL_INPUT:
            return torch.empty(sizes, dtype=dtype, device="meta")
        generator = torch.Generator().manual_seed(0)
        if dtype.is_floating_point or dtype.is_complex:
            return torch.randn(sizes, generator=generator, dtype=torch.float32).to(dtype)
        return torch.randint(0, 2, sizes, generator=generator).to(dtype)

    def __str__(self) -> str:
        """Return it as people write it: x (1, 3, L), or sr @16000."""
        sizes = ", ".join("L" if size is None else str(size) for size in self.shape)
        name = f"{self.name} " if self.name else ""
        dtype = "" if self.dtype in {"", "float32"} else f" {self.dtype}"
        return f"{name}{self.content or f'({sizes})'}{dtype}"


def parse_inputs(inputs: "Sequence[InputSpec | str] | Mapping[str, Any]") -> tuple[InputSpec, ...]:
    """Return inputs that were given as text, or as a mapping from names to values.

    Raises:
        UsageError: a text is of another form.
    """
    if isinstance(inputs, Mapping):
        return tuple(InputSpec(name, (), "", as_content(value)) for name, value in inputs.items())
    return tuple(parse_input(each) if isinstance(each, str) else each for each in inputs)


def as_content(value: Any) -> Content:
    """Return values as given in Python; a path stands for the array in that file."""
    return Content(path=str(value)) if isinstance(value, Path) else Content(value)


def parse_input(text: str) -> InputSpec:
    """Parse an input's shape or values, such as ``1,3,224,224``, ``ids=1,L:int64``, ``sr=@16000``.

    A name is what is before the last =, or before the first =@ of values, whatever it consists of.

    Raises:
        UsageError: it is of another form.
    """
    if value := _NAMED_VALUE.fullmatch(text.strip()):
        return _parse_value(value["name"], value["value"], text)
    name, equals, shape = text.strip().rpartition("=")
    match = _SHAPE.fullmatch(shape)
    if not match or (equals and not name):
        raise _make_form_error(text)
    dtype = match["dtype"] or "float32"
    if dtype not in DTYPES:
        raise UsageError(
            f"`inputs` {text!r}: no data type {dtype!r}",
            f"Use {', '.join(DTYPES)}.",
            field="inputs",
        )
    return InputSpec(name or None, _parse_shape(match["shape"], text), dtype)


def _make_form_error(text: str) -> UsageError:
    return UsageError(
        f"`inputs` {text!r} is not of the form [name=]SHAPE[:dtype] or [name=]@VALUE[:dtype]",
        "Write sizes with commas, such as 1,3,224,224 or ids=1,L:int64, or values after an @, such "
        "as sr=@16000.",
        field="inputs",
    )


def _parse_value(name: str | None, value: str, text: str) -> InputSpec:
    plain, colon, dtype = value.rpartition(":")
    if not colon or dtype not in DTYPES:
        plain, dtype = value, ""
    if plain.endswith(ARRAY_FILE):
        return InputSpec(name, (), dtype, Content(path=plain))
    return InputSpec(name, (), dtype, Content(_parse_literal(plain, text)))


def _parse_literal(value: str, text: str) -> Any:
    for parse in (json.loads, literal_eval):
        try:
            return parse(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    raise UsageError(
        f"`inputs` {text!r}: {value!r} is no value",
        "Write a number (@16000), a list (@[1,2,3]), true or false, text in quotes, or a file that "
        f"numpy.save wrote (@tokens{ARRAY_FILE}).",
        field="inputs",
    )


def make_arguments(
    inputs: Sequence[InputSpec],
    length: int | None,
    batch: int = 1,
    axes: Mapping[str, int] | None = None,
) -> tuple[list[Any], dict[str, Any]]:
    """Make the positional and the named arguments of a forward."""
    args = [entry.argument(length, axes) for entry in inputs if entry.name is None]
    kwargs = {e.name: e.argument(length, axes) for e in inputs if e.name is not None}
    repeated: tuple[list[Any], dict[str, Any]] = repeat_batch((args, kwargs), batch)
    return repeated


def repeat_batch(arguments: Any, batch: int) -> Any:
    """Return a call's arguments, each tensor repeated `batch` times along its first dimension."""
    if batch == 1:
        return arguments
    import torch  # noqa: PLC0415 - parsing does not need torch
    from torch.utils._pytree import tree_map  # noqa: PLC0415

    def repeat(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.dim():
            return value
        return value.repeat(batch, *[1] * (value.dim() - 1))

    return tree_map(repeat, arguments)


def _parse_shape(shape: str, text: str) -> tuple[int | str | None, ...]:
    separator = "x" if _CROSSED.fullmatch(shape) else ","
    sizes = [size.strip() for size in shape.split(separator)] if shape.strip() else []
    if any(not re.fullmatch(r"\w[\w.^*+-]*", size, re.ASCII) for size in sizes):
        raise _make_form_error(text)
    return tuple(_parse_size(size, text) for size in sizes)


def _parse_size(size: str, text: str) -> int | str | None:
    """Return a number; the name of an axis; or None for the length."""
    if size.isidentifier():
        return None if size == "L" else size
    try:
        return parse_length(size)
    except ValueError as error:
        raise UsageError(
            f"`inputs` {text!r}: {error}",
            "Sizes are whole numbers from 1, L for `input_len`, or names of `axes`.",
            field="inputs",
        ) from None
