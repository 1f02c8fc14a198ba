"""Accepted calls of every operator with a meta kernel of our own, and the calls one step away."""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

f32, f64, f16, bf16 = torch.float32, torch.float64, torch.float16, torch.bfloat16


class Args(NamedTuple):
    """Arguments of an accepted call."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def call(*args: Any, **kwargs: Any) -> Args:
    """Note the arguments of a call."""
    return Args(args, kwargs)


def f(*shape: int, dtype: torch.dtype = f32) -> Tensor:
    """Make a tensor of ones, which every operator accepts."""
    return torch.ones(shape, dtype=dtype)


def i(*shape: int) -> Tensor:
    """Make a tensor of integers that index anything."""
    return torch.zeros(shape, dtype=torch.int64)


def b(*shape: int) -> Tensor:
    """Make a tensor of truths."""
    return torch.ones(shape, dtype=torch.bool)


def c(*shape: int) -> Tensor:
    """Make a tensor of complex ones."""
    return torch.ones(shape, dtype=torch.complex64)


def attended() -> list[Tensor]:
    """Make what the gradient of fused attention reads, of 5 queries and 6 keys."""
    q, k = f(2, 4, 5, 8), f(2, 4, 6, 8)
    return [q, q, k, k, q, f(2, 4, 5)]


def sparse(*shape: int) -> Tensor:
    """Make a matrix that stores all of its ones by their coordinates."""
    return f(*shape).to_sparse()


def packed(outputs: int, inputs: int, prepack: str, dtype: torch.dtype) -> Any:
    """Pack the weight of a linear layer of integers."""
    weight = f(outputs, inputs)
    with warnings.catch_warnings():  # torch means to replace these types
        warnings.simplefilter("ignore")
        if dtype is torch.qint8:
            weight = torch.quantize_per_tensor(weight, 0.1, 0, dtype)
        return getattr(torch.ops.quantized, prepack)(weight, None)


def quantized_layer(kind: str) -> Args:
    """Note the arguments of a recurrent layer of integers, 3 inputs and 4 units."""
    made: Any = {
        "lstm": torch.ao.nn.quantized.dynamic.LSTM,
        "gru": torch.ao.nn.quantized.dynamic.GRU,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = [cell.param for cell in made[kind](3, 4)._all_weight_values]  # noqa: SLF001
    state = [f(1, 2, 4), f(1, 2, 4)] if kind == "lstm" else f(1, 2, 4)
    options: dict[str, Any] = {"dtype": torch.qint8, "use_dynamic": True} if kind == "lstm" else {}
    return call(f(5, 2, 3), state, weights, True, 1, 0.0, False, False, False, **options)


def layer(gates: int, states: int, *, layers: int = 1, both: bool = False) -> list[Args]:
    """Note the arguments of recurrent layers of 3 inputs and 4 units, batch first or second."""
    ways = 1 + both
    weights: list[Tensor] = []
    for depth, _ in itertools.product(range(layers), range(ways)):
        inputs = 3 if depth == 0 else 4 * ways
        weights += [f(gates * 4, inputs), f(gates * 4, 4), f(gates * 4), f(gates * 4)]
    tail = (True, layers, 0.0, False, both)
    batched = f(layers * ways, 2, 4)
    state = [batched.clone(), batched.clone()] if states == 2 else batched
    return [
        call(f(5, 2, 3), state, weights, *tail, False),
        call(f(2, 5, 3), state, weights, *tail, True),
    ]


def packed_layer(gates: int, states: int) -> list[Args]:
    """Note the arguments of a recurrent layer on two packed sequences."""
    weights = [f(gates * 4, 3), f(gates * 4, 4), f(gates * 4), f(gates * 4)]
    state = [f(1, 2, 4), f(1, 2, 4)] if states == 2 else f(1, 2, 4)
    return [call(f(5, 3), torch.tensor([2, 2, 1]), state, weights, True, 1, 0.0, False, False)]


def cell(gates: int, states: int) -> list[Args]:
    """Note the arguments of a cell of 3 inputs and 4 units, with and without biases."""
    state = [f(2, 4), f(2, 4)] if states == 2 else f(2, 4)
    W, U, bias = f(gates * 4, 3), f(gates * 4, 4), f(gates * 4)
    return [call(f(2, 3), state, W, U, bias, bias.clone()), call(f(2, 3), state, W, U)]


UNARY = [call(f(2, 3))]
BINARY = [call(f(2, 3), f(2, 3)), call(f(2, 3), f(3)), call(f(2, 3), f(2, 1)), call(f(2, 3), 2.0)]
TENSORS = BINARY[:3]
IN_PLACE = BINARY
COMPARED = [call(f(2, 3), 1.0)]

ACCEPTED: dict[str, list[Args]] = {
    **{f"aten.{name}": BINARY for name in "add sub mul div rsub remainder".split()},
    **{f"aten.{name}_": BINARY for name in "add sub mul div remainder".split()},
    **{f"aten.{name}": TENSORS for name in ("maximum", "minimum")},
    **{
        f"aten.{name}{end}": UNARY
        for name in (
            "neg exp log sqrt rsqrt sin cos tanh sigmoid erf relu leaky_relu silu gelu elu abs "
            "reciprocal square floor ceil round sign"
        ).split()
        for end in ("", "_")
    },
    "aten.softplus": UNARY,
    "aten._weight_norm": [
        call(f(4, 3), f(4, 1)),
        call(f(4, 3, 2), f(4, 1, 1), 0),
        call(f(4, 3), f(1, 3), 1),
    ],
    "aten.layer_norm": [
        call(f(2, 3, 4), [4], f(4), f(4)),
        call(f(2, 3, 4), [3, 4], f(3, 4)),
        call(f(2, 4), [4]),
    ],
    "aten.rms_norm": [call(f(2, 3, 4), [4], f(4)), call(f(2, 3), [3])],
    "aten.group_norm": [
        call(f(2, 4, 3), 2, f(4), f(4)),
        call(f(2, 6, 3, 3), 3, f(6)),
        call(f(2, 4), 2),
    ],
    "aten.batch_norm": [
        call(f(2, 4, 3), f(4), f(4), f(4), f(4), False, 0.1, 1e-5, True),
        call(f(2, 4), None, None, f(4), f(4), False, 0.1, 1e-5, True),
        call(f(2, 4, 3, 3), f(4), f(4), f(4), f(4), True, 0.1, 1e-5, True),
        call(f(2, 4, 3, 3), f(4), None, None, None, True, 0.1, 1e-5, True),
    ],
    **{f"aten.{name}.Scalar": COMPARED for name in "eq ne lt le gt ge".split()},
    "aten.conv1d": [
        call(f(2, 4, 7), f(6, 4, 3), f(6)),
        call(f(4, 7), f(6, 2, 3), None, [2], [1], [1], 2),
        call(f(2, 4, 7), f(6, 4, 3), f(6), [1], "same"),
    ],
    "aten.conv2d": [
        call(f(2, 4, 7, 7), f(6, 4, 3, 3), f(6)),
        call(f(2, 4, 7, 7), f(6, 2, 3, 3), None, [2, 2], [1, 1], [2, 1], 2),
        call(f(4, 5, 5), f(6, 4, 5, 5)),
        call(f(2, 4, 5, 5), f(6, 4, 3, 3), None, [1, 1], "same"),
    ],
    "aten.conv3d": [
        call(f(1, 2, 4, 4, 4), f(3, 2, 3, 3, 3), f(3)),
        call(f(2, 4, 4, 4), f(3, 2, 3, 3, 3)),
    ],
    "aten.conv_transpose1d": [
        call(f(2, 4, 5), f(4, 3, 3), f(3)),
        call(f(4, 5), f(4, 3, 3), None, [2], [1], [1], 2),
    ],
    "aten.conv_transpose2d": [
        call(f(2, 4, 5, 5), f(4, 3, 3, 3), f(3)),
        call(f(2, 4, 5, 5), f(4, 3, 3, 3), f(6), [2, 2], [1, 1], [1, 1], 2),
    ],
    "aten.conv_transpose3d": [call(f(1, 2, 3, 3, 3), f(2, 3, 2, 2, 2), f(3))],
    "aten.cat": [
        call([f(0), f(2, 3)], -2),
        call([f(0, dtype=f64), f(2, 3, 2)], -3),
        call([f(2, 3), f(2, 3)]),
        call([f(2, 3), f(2, 5)], 1),
        call([f(3), f(4)], -1),
    ],
    "aten.stack": [call([f(2, 3), f(2, 3)]), call([f(2, 3), f(2, 3)], -1)],
    "aten.linalg_vector_norm": [
        call(f(2, 3)),
        call(f(2, 3), 2, [1]),
        call(f(2, 3), 1, [0, -1], True),
        call(f(2, 3), 2, [1], dtype=f64),
    ],
    "aten.div.Tensor": [*TENSORS, call(i(2, 3), 2), call(i(2, 3), f(3))],
    "aten.where.self": [
        call(b(2, 3), f(2, 3), f(2, 3)),
        call(b(2, 3), f(3), f(2, 1)),
        call(b(2, 1), f(2, 3), f(3)),
    ],
    "aten.where.ScalarSelf": [call(b(2, 3), 1.5, f(2, 3))],
    "aten.where.ScalarOther": [call(b(2, 3), f(2, 3), 1.5)],
    "aten.polar": TENSORS,
    "aten.complex": TENSORS,
    "aten.__and__.Tensor": [call(b(2, 3), b(2, 3)), call(b(2, 3), b(3)), call(i(2, 3), i(2, 3))],
    "aten._is_all_true": [call(b(2, 3)), call(b())],
    "aten.logical_and": [call(b(2, 3), b(2, 3)), call(b(2, 3), b(3)), call(f(2, 3), f(2, 3))],
    "aten.pow.Tensor_Scalar": [call(f(2, 3), 2), call(f(2, 3), 0.5)],
    "aten.clamp.default": [
        call(f(2, 3), 0, 1),
        call(i(2, 3), 0, 1),
        call(i(2, 3), 0.5),
        call(f(2, 3), None, 1),
    ],
    "aten.clamp_min.default": [call(f(2, 3), 0), call(i(2, 3), 0), call(i(2, 3), 0.5)],
    "aten.clamp_max.default": [call(f(2, 3), 0), call(i(2, 3), 0), call(i(2, 3), 0.5)],
    "aten.mean.dim": [
        call(f(2, 3), [1]),
        call(f(2, 3), [0, -1], True),
        call(f(2, 3), None),
        call(f(2, 3), []),
    ],
    "aten.softmax": [call(f(2, 3), 1), call(f(2, 3), -2), call(f(2, 3), 0, f64), call(f(), 0)],
    "aten.log_softmax": [call(f(2, 3), 1), call(f(2, 3), -2), call(f(2, 3), 0, f64)],
    "aten.cumsum": [call(f(2, 3), 1), call(f(2, 3), -2), call(i(2, 3), 0)],
    "aten.mv": [call(f(2, 3), f(3))],
    "aten.mm": [call(f(2, 3), f(3, 4)), call(sparse(2, 3), f(3, 4)), call(f(2, 3), sparse(3, 4))],
    "aten.bmm": [call(f(5, 2, 3), f(5, 3, 4)), call(f(1, 2, 3), f(1, 3, 4))],
    "aten.matmul": [
        call(f(2, 3), f(3, 4)),
        call(f(5, 2, 3), f(5, 3, 4)),
        call(f(5, 1, 2, 3), f(6, 3, 4)),
        call(f(2, 3), f(3)),
        call(f(3), f(3)),
    ],
    "aten.scaled_dot_product_attention": [
        call(f(2, 4, 5, 8), f(2, 4, 6, 8), f(2, 4, 6, 7)),
        call(f(2, 4, 5, 8), f(2, 2, 6, 8), f(2, 2, 6, 8), enable_gqa=True),
        call(f(4, 5, 8), f(4, 6, 8), f(4, 6, 8)),
        call(f(2, 4, 5, 8), f(2, 4, 6, 8), f(2, 4, 6, 8), f(5, 6)),
        call(f(2, 4, 5, 8), f(2, 4, 6, 8), f(2, 4, 6, 8), b(2, 1, 5, 6)),
        call(f(2, 4, 5, 8), f(2, 4, 5, 8), f(2, 4, 5, 8), None, 0.0, True),
        call(f(5, 8), f(6, 8), f(6, 8)),
    ],
    "aten._scaled_dot_product_flash_attention_for_cpu": [
        call(f(2, 4, 5, 8), f(2, 4, 6, 8), f(2, 4, 6, 8)),
        call(f(2, 4, 5, 8), f(2, 4, 5, 8), f(2, 4, 5, 8), 0.0, True),
        call(f(2, 4, 5, 8), f(2, 4, 6, 8), f(2, 4, 6, 8), attn_mask=f(2, 1, 5, 6)),
    ],
    "aten._scaled_dot_product_flash_attention_for_cpu_backward": [
        call(*attended(), 0.0, False),
        call(*attended(), 0.0, False, attn_mask=f(5, 6)),
    ],
    "aten.istft": [
        call(c(9, 7), 16, 4, 16, f(16)),
        call(c(2, 9, 7), 16, 4, 16, f(16), True, False, True, 20),
        call(c(2, 16, 7), 16, 4, 12, f(12), True, False, False, None, True),
    ],
    "aten._sparse_addmm": [call(f(2, 4), sparse(2, 3), f(3, 4))],
    "aten._grouped_mm": [
        call(f(6, 8, dtype=bf16), f(2, 8, 16, dtype=bf16), torch.tensor([2, 6], dtype=torch.int32)),
        call(f(2, 4, 8, dtype=bf16), f(2, 8, 16, dtype=bf16)),
    ],
    "aten.linear": [
        call(f(2, 3), f(4, 3), f(4)),
        call(f(5, 2, 3), f(4, 3)),
        call(f(3), f(4, 3), f(4)),
        call(f(2, 3), f(3)),
    ],
    "aten.embedding": [call(f(5, 3), i(2, 4)), call(f(5, 3), i(4), 0), call(f(5, 3), i())],
    "aten.lstm_cell": cell(4, 2),
    "aten.gru_cell": cell(3, 1),
    "aten.rnn_tanh_cell": cell(1, 1),
    "aten.rnn_relu_cell": cell(1, 1),
    "aten.randn_like": [call(f(2, 3)), call(f(2, 3), dtype=f64)],
    "aten.rand_like": [call(f(2, 3)), call(f(2, 3), dtype=f64)],
    "quantized.linear_dynamic": [call(f(2, 3), packed(4, 3, "linear_prepack", torch.qint8))],
    "quantized.linear_relu_dynamic": [call(f(2, 3), packed(4, 3, "linear_prepack", torch.qint8))],
    "quantized.linear_dynamic_fp16": [call(f(2, 3), packed(4, 3, "linear_prepack_fp16", f16))],
    "aten.lstm.input": layer(4, 2),
    "aten.gru.input": [*layer(3, 1), *layer(3, 1, layers=2, both=True)],
    "aten.rnn_tanh.input": layer(1, 1),
    "aten.rnn_relu.input": layer(1, 1),
    "aten.lstm.data": packed_layer(4, 2),
    "aten.gru.data": packed_layer(3, 1),
    "aten.rnn_tanh.data": packed_layer(1, 1),
    "aten.rnn_relu.data": packed_layer(1, 1),
    "aten.quantized_lstm.input": [quantized_layer("lstm")],
    "aten.quantized_gru.input": [quantized_layer("gru")],
}

#: Keys of the table of kernels that name no operator of torch.
NO_OPERATORS = frozenset({"aten.softplus_", "aten.maximum_", "aten.minimum_", "aten.rsub_"})


def list_variants(accepted: Args) -> Iterator[tuple[str, Args]]:
    """Yield a call, and calls with one tensor operand of another size, rank or type."""
    yield "accepted", accepted
    for place, tensor in find_tensors(accepted):
        for change, other in change_tensor(tensor):
            yield f"{place}: {change}", replace(accepted, place, other)


Place = tuple[Any, ...]


def find_tensors(accepted: Args) -> Iterator[tuple[Place, Tensor]]:
    """Yield the places of tensors among arguments, and in lists among them."""
    named: list[tuple[Any, Any]] = [*enumerate(accepted.args), *accepted.kwargs.items()]
    for key, value in named:
        if isinstance(value, Tensor):
            yield (key,), value
        elif isinstance(value, list):
            yield from (((key, n), x) for n, x in enumerate(value) if isinstance(x, Tensor))


def replace(accepted: Args, place: Place, tensor: Tensor) -> Args:
    """Return a call with one tensor replaced."""
    key, *inner = place
    args, kwargs = list(accepted.args), dict(accepted.kwargs)
    target: Any = kwargs if isinstance(key, str) else args
    if inner:
        items = list(target[key])
        items[inner[0]] = tensor
        tensor = items  # type: ignore[assignment]
    target[key] = tensor
    return Args(tuple(args), kwargs)


def change_tensor(x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield a tensor that is longer, shorter, of another rank, or of another type."""
    dense = x.to_dense() if x.layout is torch.sparse_coo else x
    back: Callable[[Tensor], Tensor] = (
        (lambda y: y.to_sparse()) if x.layout is torch.sparse_coo else (lambda y: y)
    )
    for d, n in enumerate(dense.shape):
        for size in {n + 1, max(0, n - 1)} - {n}:
            shape = (*dense.shape[:d], size, *dense.shape[d + 1 :])
            yield f"{size} in dimension {d}", back(_ones(shape, dense))
    yield "a dimension more", back(dense[None])
    if dense.dim() and len(dense):
        yield "a dimension less", back(dense.select(0, 0))
    for dtype in (f32, f64, f16, bf16, torch.int64, torch.bool, torch.complex64):
        if dtype is not dense.dtype:
            yield str(dtype), back(dense.to(dtype))


def _ones(shape: Sequence[int], like: Tensor) -> Tensor:
    return (
        torch.zeros(shape, dtype=like.dtype)
        if like.dtype is torch.int64
        else torch.ones(shape, dtype=like.dtype)
    )
