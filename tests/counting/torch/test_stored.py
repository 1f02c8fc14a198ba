"""Tensors that are stored otherwise than they look count by what they store and by what is read."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from inspect_cost import CostReport, count
from inspect_cost.values.notes import codes

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


class Scaled(Tensor):
    """A tensor that looks like floats, and stores numbers and a scale for each row of them.

    The numbers may be such a tensor, too.
    """

    numbers: Tensor
    scale: Tensor

    def __new__(cls, numbers: Tensor, scale: Tensor) -> Self:
        made: Self = Tensor._make_wrapper_subclass(  # noqa: SLF001 - torch's way to make one
            cls, numbers.shape, dtype=scale.dtype, device=numbers.device
        )
        return made

    def __init__(self, numbers: Tensor, scale: Tensor) -> None:
        self.numbers, self.scale = numbers, scale

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["numbers", "scale"], None

    @classmethod
    def __tensor_unflatten__(
        cls, inner: dict[str, Tensor], _context: None, _size: Any, _stride: Any
    ) -> Self:
        return cls(inner["numbers"], inner["scale"])

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch's own type lacks the class
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        del types
        if func is torch.ops.aten.detach.default:
            return cls(*(func(part) for part in (args[0].numbers, args[0].scale)))
        plain_args, plain_kwargs = tree_map(_unpack, (args, kwargs or {}))
        return func(*plain_args, **plain_kwargs)


def _unpack(value: Any) -> Any:
    if not isinstance(value, Scaled):
        return value
    numbers = _unpack(value.numbers)
    return numbers.to(value.scale.dtype) * value.scale


def pack(rows: int, columns: int, depth: int, dtype: torch.dtype) -> Scaled:
    numbers = torch.ones(rows, columns).to(dtype)
    packed = Scaled(numbers, torch.ones(rows, 1))
    for _ in range(depth - 1):
        packed = Scaled(packed, torch.ones(rows, 1))
    return packed


def hold(layer: nn.Linear, depth: int = 1, dtype: torch.dtype = torch.int8) -> nn.Module:
    rows, columns = layer.weight.shape
    packed = pack(rows, columns, depth, dtype)
    layer.weight = nn.Parameter(packed, requires_grad=False)
    return nn.Sequential(layer).eval()


def storage(report: CostReport) -> tuple[int, int, dict[str, int]]:
    whole = report.modules[0][2]
    return whole.params, whole.param_bytes, dict(whole.dtypes)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(
    ("dtype", "size"), [(torch.int8, 1), (torch.bfloat16, 2), (torch.float8_e4m3fn, 1)]
)
def test_a_linear_layer_stores_and_reads_what_is_wrapped(
    depth: int, dtype: torch.dtype, size: int
) -> None:
    layer, x = nn.Linear(64, 32, bias=False), torch.zeros(4, 64)
    plain, report = count(layer, x), count(hold(nn.Linear(64, 32, bias=False), depth, dtype), x)
    scales, name = 32 * depth, str(dtype).removeprefix("torch.")
    assert storage(report) == (
        2048,
        2048 * size + 4 * scales,
        {name: 2048, "float32": scales},
    )
    assert report.macs == plain.macs == 4 * 2048
    assert report.flops == plain.flops + depth * 2048
    # The input, all that is stored, and the result.
    assert report.bytes_moved == 1024 + 2048 * size + 4 * scales + 512
    assert report.complete
    assert not report.unread
    assert codes(report.notes) == ()


def test_work_on_what_was_unpacked_moves_its_share() -> None:
    class Halves(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            whole = self.weight * 1.0  # an operator of the wrapper, whose result is plain
            return F.linear(x, whole[:16]) + F.linear(x, whole[16:])

    report = count(hold(Halves(64, 32, bias=False)), torch.zeros(4, 64))
    stored = 2048 + 4 * 32
    assert report.bytes_moved == 2 * (1024 + stored // 2 + 256) + 3 * 256


def test_memory_is_that_of_the_results() -> None:
    report = count(hold(nn.Linear(64, 32, bias=False)), torch.zeros(4, 64))
    assert report.peak_activation_bytes == 2 * 4 * 2048  # the cast and its product with the scales


def test_buffers_and_tied_weights() -> None:
    class Tied(nn.Module):
        table: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("table", pack(10, 8, 2, torch.int8))
            self.first = nn.Linear(8, 8, bias=False)
            self.first.weight = nn.Parameter(pack(8, 8, 1, torch.int8), requires_grad=False)
            self.second = nn.Linear(8, 8, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.second(self.first(x))
            return F.linear(y, self.table)

    whole = count(Tied().eval(), torch.zeros(3, 8)).modules[0][2]
    assert (whole.params, whole.param_bytes) == (64, 64 + 32)
    assert (whole.buffers, whole.buffer_bytes) == (80, 80 + 2 * 40)


def test_what_nothing_reads_is_named_with_its_stored_bytes() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = hold(nn.Linear(8, 8)), hold(nn.Linear(8, 4, bias=False))

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.used(x)
            return y

    unread = count(Idle().eval(), torch.zeros(2, 8)).unread
    assert unread is not None
    assert [(p.names, p.elements, p.bytes, p.touched) for p in unread] == [
        (("idle.0.weight",), 32, 32 + 16, False)
    ]


def test_unpacking_can_be_folded() -> None:
    report = count(hold(nn.Linear(8, 8, bias=False)), torch.zeros(2, 8))
    assert report.foldable is not None
    assert [cost.mul for cost in report.foldable.values()] == [64]


def test_the_callers_wrapper_is_as_it_was() -> None:
    model = hold(nn.Linear(8, 8), 2)
    weight = model.get_parameter("0.weight")
    count(model, torch.zeros(2, 8))
    assert model.get_parameter("0.weight") is weight
    assert isinstance(weight, Scaled)
    assert not weight.scale.is_meta
    assert torch.equal(weight.scale, torch.ones(8, 1))


def test_an_input_counts_what_it_stores() -> None:
    report = count(lambda w, x: F.linear(x, w), pack(8, 8, 2, torch.int8), torch.zeros(2, 8))
    assert report.input_bytes == 64 + 2 * 32 + 64
    assert report.macs == 128


Make = Callable[[], nn.Module]


@pytest.mark.parametrize(
    ("make", "x", "stored"),
    [
        (lambda: nn.Sequential(nn.Linear(8, 4)), (3, 8), 32 + 4 * 4),
        (lambda: nn.Sequential(nn.LSTM(8, 4)), (3, 2, 8), 4 * 4 * 12 + 2 * 4 * 16),
    ],
)
def test_packed_layers_read_their_weights(make: Make, x: tuple[int, ...], stored: int) -> None:
    model = torch.ao.quantization.quantize_dynamic(make().eval(), {nn.Linear, nn.LSTM})
    report = count(model, torch.zeros(x))
    assert report.modules[0][2].param_bytes == stored
    layer = [t for t in report.tallies if "quantized" in t.operator]
    assert sum(tally.bytes_moved for tally in layer) >= stored
