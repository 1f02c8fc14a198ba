"""Types that operators take: asked of torch itself, once each, on tensors of one element.

Torch's meta kernels take types that its CPU kernels refuse: a product of float32 and float16, an
`erf` of complex numbers. Its rules are many and irregular, so none is repeated here. An operator
whose operands are not all of one common floating type runs once on ones of the same types and
ranks, and the verdict is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only

from inspect_cost.counting.torch.contents import is_sparse
from inspect_cost.values.errors import one_line

#: More verdicts than any model needs; then all are forgotten, so that memory is bounded.
MOST_VERDICTS = 10_000

Arguments = tuple[Any, ...]

#: Alone, these are taken by every operator that is checked here.
TAKEN_BY_ALL = frozenset({torch.float32, torch.float64})

#: Operators that refuse all real numbers, or some ranks of operands too, which one element shows.
ALWAYS_ASKED = frozenset({"aten.batch_norm", "aten.scaled_dot_product_attention", "aten.__and__"})

_VERDICTS: dict[Any, str | None] = {}


def find_type_fault(
    name: str, func: OpOverload, args: Arguments, kwargs: Mapping[str, Any]
) -> str | None:
    """Return why torch's CPU kernel refuses operands of these types; None if it takes them.

    Under autocast the types are those before the casts, so nothing is said.
    """
    tensors = [x for x in tree_leaves((args, dict(kwargs))) if isinstance(x, Tensor)]
    types = {x.dtype for x in tensors}
    if len(types) == 1 and types <= TAKEN_BY_ALL and name not in ALWAYS_ASKED:
        return None
    if name in UNASKED or _is_in_autocast() or not all(map(_is_common, tensors)):
        return None
    key = repr((func, tree_map(_describe, (args, dict(kwargs)))))
    if key not in _VERDICTS:
        if len(_VERDICTS) >= MOST_VERDICTS:
            _VERDICTS.clear()
        _VERDICTS[key] = _ask(name, func, args, kwargs)
    return _VERDICTS[key]


def _is_in_autocast() -> bool:
    """Return whether autocast is entered; inside an operator that it casts for, it looks off."""
    torch.autocast_increment_nesting()
    return bool(torch.autocast_decrement_nesting())


def _is_common(x: Tensor) -> bool:
    return not (is_sparse(x) or x.is_quantized or x.is_nested)


def _describe(value: Any) -> Any:
    """Return what the verdict depends on: a tensor's type and rank, an integer, or a kind."""
    if isinstance(value, Tensor):
        return value.dtype, value.dim(), value.shape == (0,)
    return value if isinstance(value, (int, str, torch.dtype)) else type(value)


def _ask(name: str, func: OpOverload, args: Arguments, kwargs: Mapping[str, Any]) -> str | None:
    shrink: Callable[[Arguments], Arguments] = SHRUNK.get(name, shrink_all)
    call: Callable[..., Any] = func
    try:
        call(*shrink(args), **tree_map(_set_home, shrink_all(dict(kwargs))))
    except Exception as error:  # noqa: BLE001 - whatever torch raises is its refusal
        return one_line(error).partition(": ")[2]
    return None


def _set_home(value: Any) -> Any:
    return torch.device("cpu") if isinstance(value, torch.device) else value


def shrink_all(values: Any) -> Any:
    """Replace tensors by real ones of the same type and rank, with one element each."""
    return tree_map_only(Tensor, lambda x: _ones(x, [1] * x.dim()), values)


def _ones(like: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.ones(shape, dtype=like.dtype, device="cpu")


def _shrink_normalization(args: Arguments) -> Arguments:
    """Normalise over as many dimensions, of one number each."""
    x, sizes, *rest = shrink_all(args)
    return (x, [1] * len(sizes), *rest)


def _shrink_group_norm(args: Arguments) -> Arguments:
    x, _groups, *rest = shrink_all(args)
    return (x, 1, *rest)


def _shrink_convolution(args: Arguments) -> Arguments:
    """Leave out the options, which say nothing of types; one tap, one channel, one group."""
    return tuple(shrink_all(args[:3]))


def _shrink_any_convolution(args: Arguments) -> Arguments:
    """Keep only that a convolution is transposed."""
    ones = [1] * (args[1].dim() - 2)
    zeros = [0] * len(ones)
    return (*shrink_all(args[:3]), ones, zeros, ones, args[6], zeros, 1)


def _shrink_concatenation(args: Arguments) -> Arguments:
    """Keep empty vectors, which may stand beside tensors of any rank."""
    tensors, *rest = args
    shrunk = [x.new_empty(0, device="cpu") if x.shape == (0,) else shrink_all(x) for x in tensors]
    return (shrunk, *rest)


def _shrink_linear(args: Arguments) -> Arguments:
    """Make the bias a vector, as it is broadcast to the result of a vector too."""
    x, weight, *biases = shrink_all(args)
    return (x, weight, *(None if b is None else b.flatten() for b in biases))


def _shrink_embedding(args: Arguments) -> Arguments:
    table, indices, *_rest = shrink_all(args)
    return (table, torch.zeros_like(indices))


def _shrink_cell(gates: int) -> Callable[[Arguments], Arguments]:
    def shrink(args: Arguments) -> Arguments:
        x, state, *parameters = args
        weights = (_ones(w, [gates, 1]) for w in parameters[:2])
        biases = (_shrink_bias(b, gates) for b in parameters[2:])
        return (*shrink_all((x, state)), *weights, *biases)

    return shrink


def _shrink_layer(gates: int) -> Callable[[Arguments], Arguments]:
    """Shrink a layer to one step of one unit; the states still have an entry for each cell."""

    def shrink(args: Arguments) -> Arguments:
        at = next(n for n, x in enumerate(args) if isinstance(x, bool)) - 1  # where weights are
        states = tree_map_only(Tensor, lambda s: _ones(s, [s.shape[0], 1, 1]), args[at - 1])
        weights = [_ones(p, [gates, 1][: p.dim()]) for p in args[at]]
        return (*shrink_all(args[: at - 1]), states, weights, *args[at + 1 :])

    return shrink


def _shrink_bias(bias: Tensor | None, gates: int) -> Tensor | None:
    return (
        None
        if bias is None
        else _ones(bias, [*[1] * (bias.dim() - 1), gates] if bias.dim() else [])
    )


GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}

#: Operators that do not take single elements; their kernels check types themselves.
UNASKED = frozenset({"aten._grouped_mm", "aten.quantized_lstm", "aten.quantized_gru"})

#: How to shrink the positional arguments of operators whose sizes must fit each other.
SHRUNK: Mapping[str, Callable[[Arguments], Arguments]] = {
    "aten.layer_norm": _shrink_normalization,
    "aten.native_layer_norm": _shrink_normalization,
    "aten.convolution": _shrink_any_convolution,
    "aten.rms_norm": _shrink_normalization,
    "aten.group_norm": _shrink_group_norm,
    "aten.cat": _shrink_concatenation,
    "aten.linear": _shrink_linear,
    "aten.embedding": _shrink_embedding,
    **{f"aten.conv{d}d": _shrink_convolution for d in (1, 2, 3)},
    **{f"aten.conv_transpose{d}d": _shrink_convolution for d in (1, 2, 3)},
    **{f"aten.{kind}_cell": _shrink_cell(gates) for kind, gates in GATES.items()},
    **{f"aten.{kind}": _shrink_layer(gates) for kind, gates in GATES.items()},
}
