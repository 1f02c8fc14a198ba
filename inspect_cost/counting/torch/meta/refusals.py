"""Calls that torch refuses, in one line each.

Our kernels answer the calls that are surely accepted. What remains comes here before torch's meta
kernels see it, since these take calls that the CPU's kernels refuse; the CPU decides, as it is what
a user meets.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from inspect_cost.counting.torch.aten import Operator
from inspect_cost.counting.torch.meta.contraction import find_grouped_fault
from inspect_cost.counting.torch.meta.faults import Fault, expect, show
from inspect_cost.counting.torch.meta.normalization import find_norm_shape
from inspect_cost.counting.torch.meta.plain import broadcast, has_dimension
from inspect_cost.counting.torch.meta.recurrent import (
    expect_cell,
    expect_layer,
    expect_packed,
    list_states,
)
from inspect_cost.counting.torch.meta.refused_convolutions import (
    find_any_convolution_fault,
    find_convolution_fault,
    find_transposed_fault,
    with_weight_of,
)
from inspect_cost.counting.torch.meta.types import find_type_fault
from inspect_cost.values.errors import CountError


class RefusedCallError(CountError, RuntimeError):
    """The call fails in torch, whatever the values: its sizes, types or known indices do not fit.

    It is a `RuntimeError` as torch's own is, so that a model that catches one catches this.
    """


def refuse(operator: Operator, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise an error in our words if an operator's sizes or types do not fit.

    Raises:
        RefusedCallError: they do not.
    """
    name = operator.name.partition(".")[2]
    find = SIZE_FAULTS.get(operator.full_name) or SIZE_FAULTS.get(operator.name)
    fault = find(*args, **kwargs) if find else None
    if fault is None and operator.mutates:
        fault = find_overflow(*args)
    if fault is None:
        fault = find_type_fault(operator.name, operator.func, args, kwargs)
    if fault is not None:
        raise RefusedCallError(f"{name}: {fault}")


def find_overflow(target: Any, *operands: Any) -> Fault:
    """Say that the result of an operator in place has another shape than its target."""
    if not isinstance(target, Tensor):
        return None
    for x in operands:
        if isinstance(x, Tensor) and broadcast(target.shape, x.shape) != target.shape:
            return f"{show(x)} does not fit into {show(target)}, in place"
    return None


def find_batch_norm_fault(x: Tensor, *parameters: Any, **_options: Any) -> Fault:
    """Say which parameter has another number of channels."""
    if x.dim() < 2:  # noqa: PLR2004
        return f"its input {show(x)} has no channels"
    names = ("weight", "bias", "running_mean", "running_var")
    return _compare(x.shape[1], "channels", dict(zip(names, parameters, strict=False)))


def find_group_norm_fault(x: Tensor, groups: int, *parameters: Any, **_options: Any) -> Fault:
    """Say that channels do not fall into groups, or which parameter has another number of them."""
    if x.dim() < 2:  # noqa: PLR2004
        return f"its input {show(x)} has no channels"
    if groups < 1 or x.shape[1] % groups:
        return f"{x.shape[1]} channels do not make {groups} groups"
    for name, p in zip(("weight", "bias"), parameters, strict=False):
        if isinstance(p, Tensor) and p.shape != x.shape[1:2]:
            return f"{x.shape[1]} channels, but its {name} has shape {show(p)}"
    return None


def find_layer_norm_fault(
    x: Tensor, sizes: Sequence[int], *parameters: Any, **_options: Any
) -> Fault:
    """Say that the input, or a parameter, does not end in the sizes that are normalised."""
    shape = tuple(sizes)
    if not shape or tuple(x.shape[-len(shape) :]) != shape:
        return f"its input {show(x)} does not end in {shape}"
    for name, p in zip(("weight", "bias"), parameters, strict=False):
        if isinstance(p, Tensor) and tuple(p.shape) != shape:
            return f"its {name} has shape {show(p)}, not {shape}"
    return None


def find_weight_norm_fault(v: Tensor, g: Tensor, dim: int = 0) -> Fault:
    """Say that the norms are not one for each entry; torch's CPU kernel reads beyond them."""
    axis = dim % v.dim() if v.dim() and -v.dim() <= dim < v.dim() else dim
    shape = tuple(find_norm_shape(v, axis))
    return None if tuple(g.shape) == shape else f"its norms have shape {show(g)}, not {shape}"


def _compare(size: int, unit: str, tensors: Mapping[str, Any]) -> Fault:
    for name, p in tensors.items():
        if isinstance(p, Tensor) and p.numel() != size:
            return f"{size} {unit}, but its {name} has {p.numel()}"
    return None


def find_dimension_fault(x: Tensor, dim: int, *_options: Any, **_named: Any) -> Fault:
    """Say that there is no such dimension, as torch does of numbers too."""
    return None if has_dimension(x, dim) else f"{show(x)} has no dimension {dim}"


def find_dimensions_fault(
    x: Tensor, _order: Any = 2, dims: Sequence[int] | None = None, *_options: Any, **_named: Any
) -> Fault:
    """Say that a dimension does not exist, or is named twice."""
    rank = x.dim() or 1
    if not all(has_dimension(x, dim) for dim in dims or ()):
        return f"{show(x)} has not all of the dimensions {list(dims or ())}"
    places = [dim % rank for dim in dims or ()]
    return None if len(set(places)) == len(places) else f"dimensions {places} are not distinct"


def find_linear_fault(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Fault:
    """Say that a bias does not fit the result."""
    if bias is None or weight.dim() != 2 or not x.dim():  # noqa: PLR2004
        return None
    result = (*x.shape[:-1], weight.shape[0])
    ones = bias.shape[: max(0, bias.dim() - len(result))]  # a vector's bias may have more of them
    fits = broadcast(result, bias.shape[len(ones) :]) == result and all(n == 1 for n in ones)
    return None if fits else f"its bias has shape {show(bias)}, its result {result}"


def find_packed_fault(x: Tensor, packed: Any, *_options: Any) -> Fault:
    """Say that a packed weight takes another number of features, or no single vector."""
    if x.dim() < 2:  # noqa: PLR2004
        return f"its input {show(x)} has fewer than 2 dimensions"
    inputs = packed.unpack()[0].shape[1]
    fits = x.shape[-1] == inputs
    return None if fits else f"{x.shape[-1]} features, but its weight takes {inputs}"


def find_sparse_sum_fault(added: Tensor, a: Tensor, b: Tensor, **_factors: Any) -> Fault:
    """Say that the product does not exist, or has another shape than what it is added to."""
    if a.dim() != 2 or b.dim() != 2 or a.shape[1] != b.shape[0]:  # noqa: PLR2004
        return f"{show(a)} does not go with {show(b)}"
    shape = (a.shape[0], b.shape[1])
    fits = broadcast(shape, added.shape) == shape
    return None if fits else f"{show(added)} cannot be added to {shape}"


def find_attention_fault(
    _query: Tensor, key: Tensor, value: Tensor, *_: Any, **_named: Any
) -> Fault:
    """Say that keys and values differ in number; torch's CPU kernel reads beyond the fewer."""
    if key.dim() > 1 < value.dim() and key.shape[-2] != value.shape[-2]:
        return f"{key.shape[-2]} keys, but {value.shape[-2]} values"
    return None


def find_fused_fault(
    query: Tensor, key: Tensor, value: Tensor, *_options: Any, **named: Any
) -> Fault:
    """Say that operands of the fused kernel do not fit; torch compares few of their sizes."""
    mask = named.get("attn_mask")
    masked = "" if mask is None else f" under a mask {show(mask)}"
    shapes = "queries {}, keys {} and values {}".format(*map(show, (query, key, value)))
    return f"{shapes}{masked} of {query.dtype} do not fit each other"


def find_fused_gradient_fault(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, *_rest: Any, **_options: Any
) -> Fault:
    """Say that operands of the fused kernel's gradient do not fit."""
    given = "gradient {}, queries {}, keys {} and values {}"
    shapes = given.format(*map(show, (gradient, query, key, value)))
    return f"{shapes} do not fit each other"


def find_cell_fault(x: Tensor, state: Any, *weights: Tensor | None) -> Fault:
    """Say which operand of a recurrent cell has another shape than its weights ask for.

    Biases that are no vectors are left to torch, which broadcasts them.
    """
    expected = expect_cell(x, state, *weights)
    return expect(e for e in expected if e[0] != "its bias" or e[1].dim() == 1)


def find_layer_fault(x: Tensor, hx: Any, params: Sequence[Any], *rest: Any, **_: Any) -> Fault:
    """Say which operand of a recurrent layer has another shape than its weights ask for."""
    has_biases, layers, _dropout, _train, both, batch_first = rest
    states = list_states(hx)
    expected = expect_layer(x, hx, params, has_biases, layers, both, batch_first)
    if expected is None:
        return f"{len(params)} weights, an input {show(x)} and a state {show(states[0])}"
    return expect(expected) or _find_mixture(x, states, params)


def find_packed_layer_fault(
    data: Tensor, sizes: Tensor, hx: Any, params: Sequence[Tensor], *rest: Any
) -> Fault:
    """Say which operand of a layer on packed sequences has another shape."""
    has_biases, layers, _dropout, _train, both = rest
    states = list_states(hx)
    if sizes.dim() != 1 or sizes.dtype is not torch.int64:
        return "its batch sizes are no vector of int64"
    expected = expect_packed(data, states, params, has_biases, layers, both)
    if expected is None:
        return f"{len(params)} weights, an input {show(data)} and a state {show(states[0])}"
    return expect(expected) or _find_mixture(data, states, params)


def _find_mixture(x: Tensor, states: Sequence[Tensor], params: Sequence[Any]) -> Fault:
    """Say which type a layer's input does not share; torch takes some biases by accident."""
    for t in (*states, *params):
        if isinstance(t, Tensor) and t.dtype is not x.dtype:
            return f"operands of {t.dtype} beside an input of {x.dtype}"
    return None


_LAYERS = ("lstm", "gru", "rnn_tanh", "rnn_relu")

#: Operators of training steps without a kernel of our own; torch's meta kernels mix types.
TRAINING = frozenset(
    f"aten.{name}" for name in "addmm convolution native_layer_norm native_batch_norm".split()
)

#: From an operator to what finds a fault in its sizes; only what torch's meta kernels let pass, or
#: what many users meet.
SIZE_FAULTS: Mapping[str, Callable[..., Fault]] = {
    "aten.batch_norm": find_batch_norm_fault,
    "aten.group_norm": find_group_norm_fault,
    "aten.layer_norm": find_layer_norm_fault,
    "aten.rms_norm": find_layer_norm_fault,
    "aten._weight_norm": find_weight_norm_fault,
    "aten._sparse_addmm": find_sparse_sum_fault,
    "aten._grouped_mm": find_grouped_fault,
    "quantized.linear_dynamic": find_packed_fault,
    "quantized.linear_relu_dynamic": find_packed_fault,
    "quantized.linear_dynamic_fp16": find_packed_fault,
    "aten.linalg_vector_norm": find_dimensions_fault,
    "aten.linear": find_linear_fault,
    "aten.scaled_dot_product_attention": find_attention_fault,
    "aten._scaled_dot_product_flash_attention_for_cpu": find_fused_fault,
    "aten._scaled_dot_product_flash_attention_for_cpu_backward": find_fused_gradient_fault,
    **{f"aten.{name}": find_dimension_fault for name in ("softmax", "log_softmax", "cumsum")},
    "aten.convolution": find_any_convolution_fault,
    "aten.native_layer_norm": find_layer_norm_fault,
    "aten.native_batch_norm": find_batch_norm_fault,
    **{f"aten.conv{d}d": with_weight_of(d + 2, find_convolution_fault) for d in (1, 2, 3)},
    **{f"aten.conv_transpose{d}d": with_weight_of(d + 2, find_transposed_fault) for d in (1, 2, 3)},
    **{f"aten.{kind}_cell": find_cell_fault for kind in _LAYERS},
    **{
        f"aten.{kind}.input": find_layer_fault
        for kind in (*_LAYERS, "quantized_lstm", "quantized_gru")
    },
    **{f"aten.{kind}.data": find_packed_layer_fault for kind in _LAYERS},
}
