"""Inputs described by their shapes: ``[name=]SHAPE[:dtype]``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
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

_PATTERN = re.compile(
    r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>[\dLx,_\s]*)(?::(?P<dtype>\w+))?", re.ASCII
)


@dataclass(frozen=True)
class InputSpec:
    """One input tensor.

    Attributes:
        name: parameter of the forward that it is passed to; None for the next positional one.
        shape: sizes; None stands for the length, L.
        dtype: name of a torch data type.
    """

    name: str | None
    shape: tuple[int | None, ...]
    dtype: str

    def sizes(self, length: int | None) -> tuple[int, ...]:
        """Return the shape with the length filled in.

        Raises:
            UsageError: the shape has an L and no length was given.
        """
        if None in self.shape and length is None:
            raise UsageError(
                "an input's shape has an L, but there is no `input_len`",
                "Give one, such as `input_len=16000`.",
                field="input_len",
            )
        return tuple(size if size is not None else length or 0 for size in self.shape)

    def tensor(self, length: int | None) -> "torch.Tensor":
        """Return a random tensor of this shape, the same at every call; huge ones have no values.

        Integers are 0 or 1, which are valid in any vocabulary.
        """
        import torch  # noqa: PLC0415 - parsing does not need torch

        sizes, dtype = self.sizes(length), getattr(torch, self.dtype)
        if prod(sizes) > LARGEST_REAL_INPUT:
            return torch.empty(sizes, dtype=dtype, device="meta")
        generator = torch.Generator().manual_seed(0)
        if dtype.is_floating_point or dtype.is_complex:
            return torch.randn(sizes, generator=generator, dtype=torch.float32).to(dtype)
        return torch.randint(0, 2, sizes, generator=generator).to(dtype)

    def __str__(self) -> str:
        """Return it as people write it: x (1, 3, L)."""
        sizes = ", ".join("L" if size is None else str(size) for size in self.shape)
        name = f"{self.name} " if self.name else ""
        dtype = "" if self.dtype == "float32" else f" {self.dtype}"
        return f"{name}({sizes}){dtype}"


def parse_input(text: str) -> InputSpec:
    """Parse ``[name=]SHAPE[:dtype]``, such as ``1,3,224,224`` or ``ids=1,L:int64``.

    Raises:
        UsageError: it is of another form.
    """
    match = _PATTERN.fullmatch(text.strip())
    if not match:
        raise UsageError(
            f"`inputs` {text!r} is not of the form [name=]SHAPE[:dtype]",
            "Write sizes with commas, such as 1,3,224,224 or ids=1,L:int64.",
            field="inputs",
        )
    dtype = match["dtype"] or "float32"
    if dtype not in DTYPES:
        raise UsageError(
            f"`inputs` {text!r}: no data type {dtype!r}",
            f"Use {', '.join(DTYPES)}.",
            field="inputs",
        )
    return InputSpec(match["name"], _parse_shape(match["shape"], text), dtype)


def make_arguments(
    inputs: Sequence[InputSpec], length: int | None, batch: int = 1
) -> tuple[list[Any], dict[str, Any]]:
    """Make the positional and the named arguments of a forward."""
    args = [entry.tensor(length) for entry in inputs if entry.name is None]
    kwargs = {entry.name: entry.tensor(length) for entry in inputs if entry.name is not None}
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


def _parse_shape(shape: str, text: str) -> tuple[int | None, ...]:
    sizes = [size.strip() for size in re.split(r"[,x]", shape)] if shape.strip() else []
    try:
        return tuple(None if size == "L" else parse_length(size) for size in sizes)
    except ValueError as error:
        raise UsageError(
            f"`inputs` {text!r}: {error}",
            "Sizes are whole numbers from 1, or L for `input_len`.",
            field="inputs",
        ) from None
