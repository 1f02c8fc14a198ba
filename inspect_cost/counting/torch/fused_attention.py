"""Attention under a policy: in a training step, one operator forward and one for its gradients.

Autograd takes `scaled_dot_product_attention` on the meta device apart into products, of which
nobody can tell which scores a mask removes. Where that is known, the fused kernel is called
instead, whose gradients are one operator too.
"""

from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from inspect_cost.counting.torch.contents import PLAIN_TENSORS
from inspect_cost.counting.torch.meta.contraction import attention
from inspect_cost.counting.torch.weighed_attention import Enter, attend_with_weights


class FusedAttention(TorchFunctionMode):
    """A mode that calls other functions for attention whose mask is known.

    Args:
        enter: where the costs of attention with weights are entered.
        training: whether gradients are counted, so that torch takes attention apart.
    """

    def __init__(self, enter: Enter, *, training: bool) -> None:
        super().__init__()
        self._enter = enter
        self._training = training

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a function, or another one in its place."""
        if func is F.multi_head_attention_forward:
            func = _multi_head(self._enter, fused=self._training)
        elif self._training and func is F.scaled_dot_product_attention:
            func = attend_by_any_kernel
        return func(*args, **(kwargs or MappingProxyType({})))


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
    if expanded is None or not _fits(expanded, attn_mask, grouped=enable_gqa):
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


def _fits(operands: tuple[Tensor, ...], mask: Tensor | None, *, grouped: bool) -> bool:
    """Return whether torch accepts the shapes."""
    query, key, value = operands
    return attention(query, key, value, mask, enable_gqa=grouped) is not None


def expand_alike(*operands: Tensor) -> tuple[Tensor, ...] | None:
    """Expand queries, keys and values to a common batch; None if they do not fit."""
    try:
        batch = torch.broadcast_shapes(*(x.shape[:-2] for x in operands))
    except RuntimeError:
        return None
    return tuple(x if x.shape[:-2] == batch else x.expand(*batch, *x.shape[-2:]) for x in operands)


def _multi_head(enter: Enter, *, fused: bool) -> Callable[..., Any]:
    """Return torch's multi-head attention, with other functions where it finds its own.

    The mode is off within a function that was passed to it, so this one gets its own globals.
    """
    original = F.multi_head_attention_forward
    names = {
        **vars(F),
        **attend_with_weights(enter),
        "has_torch_function": lambda _operands: False,
    }
    if fused:
        names["scaled_dot_product_attention"] = attend_by_any_kernel
    return FunctionType(original.__code__, names, original.__name__, original.__defaults__)
