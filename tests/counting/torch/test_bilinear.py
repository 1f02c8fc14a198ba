"""A bilinear layer costs the two products that torch makes of it, the first operand first."""

from math import prod

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from inspect_cost import count


def multiplied(layer: nn.Module, *inputs: torch.Tensor) -> int:
    """Return the MACs of the products that torch's profiler sees."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        layer(*inputs)
    products = [event for event in seen.events() or [] if event.name == "aten::bmm"]
    shapes = [event.input_shapes[:2] for event in products]
    return sum(prod(left) * right[-1] for left, right in shapes)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize(
    ("sizes", "rows"),
    [((3, 4, 5), (2,)), ((4, 3, 2), (7,)), ((6, 2, 3), (2, 3)), ((1, 5, 1), (4,))],
)
def test_the_first_operand_is_multiplied_first(
    sizes: tuple[int, int, int], rows: tuple[int, ...], biased: bool
) -> None:
    first, second, outputs = sizes
    layer = nn.Bilinear(first, second, outputs, bias=biased)
    inputs = torch.randn(*rows, first), torch.randn(*rows, second)
    report = count(layer, *inputs)
    assert report.macs == (first + 1) * second * outputs * prod(rows) == multiplied(layer, *inputs)
    assert report.cost.add == (outputs * prod(rows) if biased else 0)


def test_the_example_of_two_rows() -> None:
    assert count(nn.Bilinear(3, 4, 5), torch.zeros(2, 3), torch.zeros(2, 4)).macs == 160
