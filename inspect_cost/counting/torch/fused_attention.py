"""Attention in a training step under a policy: one operator forward and one for its gradients.

Autograd takes `scaled_dot_product_attention` on the meta device apart into products, of which
nobody can tell which scores a mask removes. Where that is known, the fused kernel is called
instead, whose gradients are one operator too.
"""

from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, FunctionType, MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from inspect_cost.counting.torch.meta.plain import broadcast

PLAIN_TENSORS = (Tensor, torch.nn.Parameter, torch.nn.Buffer)


class FusedAttention(TorchFunctionMode):
    """A mode that calls the fused kernel for attention whose mask is known."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function, or the fused kernel in its place."""
        own = _OWN.get(func, func) if isinstance(func, _KINDS) else func
        return own(*args, **(kwargs or MappingProxyType({})))


def attend_by_any_kernel(*args: Any, **kwargs: Any) -> Any:
    """Attend by the fused kernel if that is possible, otherwise as torch does."""
    fused = attend(*args, **kwargs)
    return F.scaled_dot_product_attention(*args, **kwargs) if fused is None else fused


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor | None:
    """Call the fused kernel; None where torch shall decide, because of the mask or the shapes."""
    operands = (query, key, value)
    known = is_causal if attn_mask is None else not is_causal and _is_constant(attn_mask)
    if not known or not all(map(_is_plain, operands)):
        return None
    expanded = operands if enable_gqa else expand_alike(*operands)
    if expanded is None or not fits(*expanded, mask=attn_mask, grouped=enable_gqa):
        return None
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    out, _ = kernel(*expanded, dropout_p, is_causal, attn_mask=attn_mask, scale=scale)
    attended: Tensor = out
    return attended


def _is_constant(mask: Tensor) -> bool:
    """Return whether a mask has values and no gradient."""
    return not mask.is_meta and not mask.requires_grad


def _is_plain(operand: Tensor) -> bool:
    """Return whether a tensor is without values, and neither batched by vmap nor of a subclass."""
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor(operand)
    return type(operand) in PLAIN_TENSORS and operand.is_meta and not wrapped


def expand_alike(*operands: Tensor) -> tuple[Tensor, ...] | None:
    """Expand queries, keys and values to a common batch; None if they do not fit."""
    try:
        batch = torch.broadcast_shapes(*(x.shape[:-2] for x in operands))
    except RuntimeError:
        return None
    return tuple(x if x.shape[:-2] == batch else x.expand(*batch, *x.shape[-2:]) for x in operands)


def fits(query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None, grouped: bool) -> bool:
    """Return whether torch accepts the shapes."""
    if min(x.dim() for x in (query, key, value)) < 2 + grouped:
        return False
    one_kind = query.dtype == key.dtype == value.dtype
    sizes = query.shape[-1] == key.shape[-1] and key.shape[:-1] == value.shape[:-1]
    if grouped:
        heads = query.shape[:-3] == key.shape[:-3] and query.shape[-3] % key.shape[-3] == 0
    else:
        heads = query.shape[:-2] == key.shape[:-2]
    alike: bool = one_kind and sizes and heads
    return alike and _mask_fits(mask, query, key)


def _mask_fits(mask: Tensor | None, query: Tensor, key: Tensor) -> bool:
    if mask is None:
        return True
    scores = (*query.shape[:-1], key.shape[-2])
    return broadcast(scores, mask.shape) == scores


def _multi_head() -> Callable[..., Any]:
    """Return torch's multi-head attention, with another kernel.

    The mode is off within a function that was passed to it, so this one gets its own globals.
    """
    original = F.multi_head_attention_forward
    names = {
        **vars(F),
        "scaled_dot_product_attention": attend_by_any_kernel,
        "has_torch_function": lambda _operands: False,
    }
    return FunctionType(original.__code__, names, original.__name__, original.__defaults__)


_KINDS = (FunctionType, BuiltinFunctionType)

#: Functions of torch and what is called in their place.
_OWN: dict[Callable[..., Any], Callable[..., Any]] = {
    F.scaled_dot_product_attention: attend_by_any_kernel,
    F.multi_head_attention_forward: _multi_head(),
}
