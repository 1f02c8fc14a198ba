"""Attention of jagged tensors, sequence by sequence.

Outside a GPU, torch converts them to nested tensors of an older kind, which have no shapes to
count. What it computes is attention of each sequence by itself, and so it is run here.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from torch.nested._internal.nested_tensor import NestedTensor

#: The dimension of the sequence in (batch, heads, sequence, features).
SEQUENCE = 2


class JaggedAttention(TorchFunctionMode):
    """A mode in which attention of jagged tensors is that of plain ones, one by one."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one function of torch."""
        del types
        options = dict(kwargs or {})
        if func is F.scaled_dot_product_attention and _is_jagged(*args, **options):
            return attend(*args, **options)
        return func(*args, **options)


def _is_jagged(query: Any, *_args: Any, **_kwargs: Any) -> bool:
    jagged = isinstance(query, Tensor) and query.layout is torch.jagged
    return jagged and query._ragged_idx == SEQUENCE


def attend(
    query: "NestedTensor",
    key: "NestedTensor",
    value: "NestedTensor",
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    **options: Any,
) -> Tensor:
    """Return attention of jagged (batch, heads, sequence, features), with the query's lengths.

    Raises:
        ValueError: torch takes no such arguments.
    """
    from torch.nested._internal import nested_tensor, sdpa  # noqa: PLC0415 - slow to import

    sdpa._validate_sdpa_input(query, key, value, attn_mask, dropout_p, is_causal)
    results = [
        F.scaled_dot_product_attention(q, k, v, None, dropout_p, is_causal, **options)
        for q, k, v in zip(*map(_split, (query, key, value)), strict=True)
    ]
    rows = torch.cat(results, SEQUENCE).squeeze(0).transpose(0, 1)
    made: Tensor = nested_tensor.nested_view_from_values_offsets_lengths(
        rows,
        query.offsets(),
        lengths=query.lengths(),
        min_seqlen=query._maybe_min_seqlen,
        max_seqlen=query._maybe_max_seqlen,
    )
    return made.transpose(1, SEQUENCE)


def _split(jagged: "NestedTensor") -> list[Tensor]:
    """Return each sequence as (1, heads, length, features)."""
    lengths = jagged.offsets().diff().tolist()
    values: Tensor = jagged.values()
    return list(values.unsqueeze(0).split(lengths, SEQUENCE))
