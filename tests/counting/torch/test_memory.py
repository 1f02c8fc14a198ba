"""The peak of the activations, against torch's own allocator and against lifetimes by hand."""

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from inspect_cost import count


class Chain(nn.Module):
    """Products, views, in-place work, a long-lived shortcut, and a wide part in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(16, 64))
        self.back = nn.Parameter(torch.ones(64, 16))

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x * 2
        wide = torch.mm(shortcut, self.weight)
        wide = torch.relu_(wide) + 1
        wide = torch.cat((wide, wide), 1)[:, :64]
        return torch.mm(wide.contiguous(), self.back) + shortcut


def measure_allocated_peak(model: nn.Module, x: Tensor) -> int:
    """Measure the peak of torch's CPU allocator, in bytes, by its own records."""
    cpu = [ProfilerActivity.CPU]
    with torch.inference_mode(), profile(activities=cpu, profile_memory=True) as prof:
        kept = model(x)
    del kept
    held = peak = 0
    for event in prof.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def test_the_peak_is_what_the_allocator_gives() -> None:
    model, x = Chain(), torch.ones(8, 16)
    assert count(model, x).peak_activation_bytes == measure_allocated_peak(model, x)


def test_the_peak_by_hand() -> None:
    shortcut = result = 8 * 16
    wide = 8 * 64
    steps = [
        shortcut + wide + wide,  # relu_(wide) + 1
        shortcut + wide + 2 * wide,  # cat
        shortcut + 2 * wide + wide + result,  # mm: what cat made, its contiguous part, the result
        shortcut + 2 * wide + result + result,  # + shortcut
    ]
    assert count(Chain(), torch.ones(8, 16)).peak_activation_bytes == 4 * max(steps)


def test_inputs_and_parameters_are_apart() -> None:
    report = count(nn.Linear(3, 5), torch.ones(2, 3))
    assert report.peak_activation_bytes == 4 * 2 * 5
    assert report.input_bytes == 4 * 2 * 3


def test_intensity_by_operator_and_by_module() -> None:
    report = count(nn.Sequential(nn.Linear(3, 5), nn.Flatten()), torch.ones(2, 3))
    bytes_moved = 4 * (6 + 15 + 5 + 10)
    assert report.by_operator["aten.linear"].arithmetic_intensity == 70 / bytes_moved
    assert report.by_module["0"].arithmetic_intensity == 70 / bytes_moved
    assert report.by_module["1"].arithmetic_intensity is None
