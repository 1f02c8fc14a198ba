"""Branches, loops and scans are followed; opaque kernels are listed by name."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops import scan
from torch._higher_order_ops.associative_scan import associative_scan
from torch._higher_order_ops.triton_kernel_wrap import (
    kernel_side_table,
    triton_kernel_wrapper_mutation,
)
from torch._higher_order_ops.while_loop import while_loop
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils.checkpoint import checkpoint

from inspect_cost import OpCost, count
from inspect_cost.formulas.attention import scaled_dot_product_attention
from tests.counting.torch.models import is_real_run

# torch warns of the memory that flex attention takes where it is not compiled
pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without:UserWarning")

LAYER = 8 * 8  # MACs of one row


class Around(nn.Module):
    """A module that applies a function to its layer and an input."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function, self.layer = function, nn.Linear(8, 8, bias=False)

    def forward(self, x: Tensor) -> Any:
        return self.function(self.layer, x)


def count_around(function: Callable[..., Any], **options: Any) -> Any:
    return count(Around(function).eval(), torch.ones(4, 8), **options)


@pytest.mark.parametrize(("known", "layers"), [(True, 2), (False, 1)])
def test_a_known_branch_is_the_one_that_counts(known: bool, layers: int) -> None:
    def branch(layer: nn.Module, x: Tensor) -> Any:
        deep, flat = (lambda y: layer(layer(y))), layer
        return torch.cond(torch.tensor(known), deep, flat, (x,))

    report = count_around(branch)
    assert (report.macs, report.notes) == (layers * 4 * LAYER, ())


def test_a_branch_that_depends_on_the_weights_is_taken_for_real() -> None:
    def branch(layer: nn.Module, x: Tensor) -> Any:
        y = layer(x)
        return torch.cond((y * y).sum() > 0, lambda z: layer(layer(z)), layer, (y,))

    report = count_around(branch)
    assert report.macs == 3 * 4 * LAYER
    assert is_real_run(report)


def test_branches_are_counted_before_the_compiler_was_ever_imported() -> None:
    """`torch.cond` imports it, and would compile."""
    script = (
        "import torch, inspect_cost\n"
        "class M(torch.nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.cond(torch.tensor(True), torch.sin, torch.exp, (x,))\n"
        "print(inspect_cost.count(M().eval(), torch.ones(3)).flops)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)  # noqa: PLW1510, S603 - its output is what is checked
    assert done.stdout.split() == ["3"], done.stderr


def test_a_loop_runs_as_often_as_it_does() -> None:
    def loop(layer: nn.Module, x: Tensor) -> Any:
        start = torch.tensor(0)
        return while_loop(lambda i, _y: i < 3, lambda i, y: (i + 1, layer(y)), (start, x))

    assert count_around(loop).macs == 3 * 4 * LAYER


def test_scans_are_followed_step_by_step() -> None:
    def step(carried: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return carried + x, carried * x

    report = count_around(lambda layer, x: scan(step, torch.zeros(8), layer(x)))
    assert report.cost == OpCost(macs=4 * LAYER, add=4 * 8, mul=4 * 8)


def test_an_associative_scan_combines_in_pairs() -> None:
    """Four rows take four sums of rows, by halves."""

    def sums(layer: nn.Module, x: Tensor) -> Any:
        return associative_scan(torch.add, layer(x), 0, combine_mode="generic")

    assert count_around(sums).cost == OpCost(macs=4 * LAYER, add=4 * 8)


def split_heads(layer: nn.Module, x: Tensor) -> Any:
    """Return a layer's result as (1, 2, 4, 4): two heads."""
    return layer(x).reshape(1, 4, 2, 4).transpose(1, 2)


DENSE = scaled_dot_product_attention(2, 4, 4, 4, 4, masked=False)


def test_flex_attention_is_dense_attention_and_what_changes_its_scores() -> None:
    def attend(layer: nn.Module, x: Tensor) -> Any:
        q = split_heads(layer, x)
        return flex_attention(q, q, q)

    def attend_with_bias(layer: nn.Module, x: Tensor) -> Any:
        q = split_heads(layer, x)
        return flex_attention(q, q, q, score_mod=lambda s, _b, _h, i, j: s + 2.0 * (i - j))

    linear = OpCost(macs=4 * LAYER)
    plain = count_around(attend)
    assert plain.cost == linear + DENSE
    scores = 2 * 4 * 4
    assert count_around(attend_with_bias).cost == linear + DENSE + OpCost(add=scores, mul=4 * 4)


def test_flex_attention_under_a_mask_is_masked_attention() -> None:
    mask = create_block_mask(lambda _b, _h, i, j: i >= j, None, None, 4, 4, device="cpu")

    def attend_under_mask(layer: nn.Module, x: Tensor) -> Any:
        q = split_heads(layer, x)
        return flex_attention(q, q, q, block_mask=mask)

    report = count_around(attend_under_mask)
    masked = scaled_dot_product_attention(2, 4, 4, 4, 4, masked=True)
    assert report.cost == OpCost(macs=4 * LAYER) + masked


def test_a_checkpoint_is_what_it_wraps() -> None:
    report = count_around(lambda layer, x: checkpoint(layer, x, use_reentrant=False))
    assert report.cost == OpCost(macs=4 * LAYER)


class Exponential(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        del ctx
        return x.exp()


def test_a_function_of_autograd_is_what_its_forward_does() -> None:
    apply: Callable[[Tensor], Tensor] = Exponential.apply
    report = count_around(lambda layer, x: apply(layer(x)))
    assert report.cost == OpCost(macs=4 * LAYER, special=32)


def test_an_operator_without_a_fake_kernel_is_run_and_named() -> None:
    @torch.library.custom_op("inspect_cost_tests::opaque", mutates_args=())
    def opaque(x: Tensor) -> Tensor:
        return x * 2

    report = count_around(lambda layer, x: opaque(layer(x)))
    assert dict(report.uncounted) == {"inspect_cost_tests.opaque": 1}
    assert is_real_run(report)
    costs = {"inspect_cost_tests.opaque": lambda out, _x: OpCost(mul=out.numel())}
    known = count_around(lambda layer, x: opaque(layer(x)), op_costs=costs)
    assert (known.complete, known.flops_by_class["mul"]) == (True, 32)


def test_a_triton_kernel_is_named_and_can_be_given_a_cost() -> None:
    """Without a GPU no kernel can run: only its name and arguments are used."""

    class Kernel:
        """A kernel like Triton's, whose Python function is its ``fn``."""

        @staticmethod
        def fn() -> None:
            raise AssertionError

    Kernel.fn.__name__ = "fused_norm"
    index = kernel_side_table.add_kernel(Kernel())

    def launch(layer: nn.Module, x: Tensor) -> Any:
        y = layer(x)
        out = torch.empty_like(y)
        triton_kernel_wrapper_mutation(
            kernel_idx=index,
            constant_args_idx=0,
            grid=[(1,)],
            tma_descriptor_metadata={},
            kwargs={"x": y, "out": out},
        )
        return layer(out)

    report = count_around(launch)
    assert dict(report.uncounted) == {"triton.fused_norm": 1}
    assert report.macs == 2 * 4 * LAYER
    costs = {"triton.fused_norm": lambda _none, x, **_out: OpCost(mul=x.numel())}
    assert count_around(launch, op_costs=costs).flops_by_class["mul"] == 32
