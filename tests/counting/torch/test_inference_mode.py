"""Training steps that are counted under `torch.inference_mode()`, and those that use it."""

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import UsageError, count


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_a_step_is_counted_in_the_callers_mode(mode: type) -> None:
    layer, x = nn.Linear(4, 4), torch.zeros(2, 4)
    expected = count(layer, x, backward=True)
    with mode():
        inside = nn.Linear(4, 4)
        assert count(layer, x, backward=True).cost == expected.cost
        assert count(inside, torch.zeros(2, 4), backward=True).cost == expected.cost
        assert count(lambda x: layer(x), x, backward=True).cost == expected.cost
        assert torch.is_inference_mode_enabled() is (mode is torch.inference_mode)
        assert not torch.is_grad_enabled()
    layer(x).sum().backward()  # as without the count
    assert layer.weight.grad is not None


def test_a_model_that_keeps_no_gradients_is_told_so() -> None:
    class Frozen(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            with torch.inference_mode():
                return super().forward(x)

    with pytest.raises(UsageError, match="inference_mode"):
        count(Frozen(4, 4), torch.zeros(2, 4), backward=True)
    assert count(Frozen(4, 4).eval(), torch.zeros(2, 4)).macs == 32
