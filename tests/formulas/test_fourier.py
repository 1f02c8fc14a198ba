"""Fourier transforms by their convention, and sums of overlapping frames by brute force."""

import pytest
import torch
from torch import Tensor, nn

from inspect_cost import OpCost, count
from inspect_cost.formulas import fourier as formula


def radix2(x: list[complex], tape: dict[str, int]) -> list[complex]:
    """Transform by Cooley & Tukey 1965; each butterfly has a full complex product and two sums."""
    N = len(x)
    if N == 1:
        return x
    even, odd = radix2(x[::2], tape), radix2(x[1::2], tape)
    out = [0j] * N
    for k in range(N // 2):
        turn = torch.polar(torch.ones(()), torch.tensor(-2 * torch.pi * k / N)).item() * odd[k]
        out[k], out[k + N // 2] = even[k] + turn, even[k] - turn
        tape["mul"] += 4
        tape["add"] += 2 + 2 + 2
    return out


@pytest.mark.parametrize("N", [1, 2, 8, 64])
def test_the_convention_is_what_radix_2_takes(N: int) -> None:
    x = torch.randn(N, dtype=torch.complex64, generator=torch.Generator().manual_seed(N))
    tape = {"mul": 0, "add": 0}
    result = torch.tensor(radix2(x.tolist(), tape))
    assert torch.allclose(result, torch.fft.fft(x), atol=1e-4)
    assert formula.fft(1, N) == OpCost(**tape)
    assert formula.fft(7, N) == formula.fft(1, N) * 7


class Transformed(nn.Module):
    """A module that calls one of torch's transforms."""

    def __init__(self, name: str, **options: object) -> None:
        super().__init__()
        self.transform, self.options = getattr(torch.fft, name), options

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.transform(x, **self.options)
        return out


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("fft", torch.zeros(3, 8, dtype=torch.complex64), formula.fft(3, 8)),
        ("ifft", torch.zeros(3, 8, dtype=torch.complex64), formula.fft(3, 8)),
        ("rfft", torch.zeros(3, 8), formula.real_fft(3, 8)),
        ("irfft", torch.zeros(3, 5, dtype=torch.complex64), formula.real_fft(3, 8)),
        ("fft2", torch.zeros(3, 4, 8, dtype=torch.complex64), formula.fft(3, 32)),
        ("rfft2", torch.zeros(3, 4, 8), formula.real_fft(3, 32)),
        ("irfft2", torch.zeros(3, 4, 5, dtype=torch.complex64), formula.real_fft(3, 32)),
        ("hfft2", torch.zeros(3, 4, 5, dtype=torch.complex64), formula.real_fft(3, 32)),
        ("ihfft2", torch.zeros(3, 4, 8), formula.real_fft(3, 32)),
        ("rfftn", torch.zeros(2, 4, 8), formula.real_fft(1, 64)),
        ("irfftn", torch.zeros(2, 4, 5, dtype=torch.complex64), formula.real_fft(1, 64)),
        ("hfftn", torch.zeros(2, 4, 5, dtype=torch.complex64), formula.real_fft(1, 64)),
        ("ihfftn", torch.zeros(2, 4, 8), formula.real_fft(1, 64)),
    ],
)
def test_torchs_transforms_follow_the_convention(name: str, x: Tensor, expected: OpCost) -> None:
    report = count(Transformed(name), x)
    assert report.complete
    assert report.cost == expected


@pytest.mark.parametrize("name", ["rfft2", "rfftn", "ihfft2", "ihfftn"])
def test_real_numbers_of_a_square(name: str) -> None:
    assert count(Transformed(name), torch.zeros(8, 8)).flops == 2.5 * 64 * 6


def test_dimensions_of_choice() -> None:
    x = torch.zeros(3, 4, 8)
    for name in ("rfftn", "ihfftn"):
        assert count(Transformed(name, dim=(0, 2)), x).cost == formula.real_fft(4, 24)
        assert count(Transformed(name, s=(2, 16)), x).cost == formula.real_fft(3, 32)
    for name in ("irfftn", "hfftn"):
        half = torch.zeros(3, 4, 5, dtype=torch.complex64)
        assert count(Transformed(name, dim=(0, 2)), half).cost == formula.real_fft(4, 24)
        assert count(Transformed(name, s=(2, 16)), half).cost == formula.real_fft(3, 32)


@pytest.mark.parametrize("shape", [(4, 8), (2, 4, 8), (8, 2)])
def test_complex_dimensions_one_after_another_take_as_much(shape: tuple[int, ...]) -> None:
    x = torch.zeros(3, *shape, dtype=torch.complex64)
    dims = range(1, x.dim())
    at_once = count(Transformed("fftn", dim=tuple(dims)), x).cost
    in_turn = [count(Transformed("fft", dim=d), x).cost for d in dims]
    assert at_once == sum(in_turn, OpCost())


def test_other_lengths_are_rounded_for_each_transform() -> None:
    assert formula.fft(2, 3) == OpCost(mul=2 * 10, add=2 * 14)
    assert formula.real_fft(2, 3) == OpCost(mul=2 * 5, add=2 * 7)


@pytest.mark.parametrize(("frames", "size", "hop"), [(4, 6, 2), (3, 4, 4), (5, 7, 3)])
def test_overlapping_frames_are_summed(frames: int, size: int, hop: int) -> None:
    length = (frames - 1) * hop + size
    columns = torch.randn(1, size, frames, generator=torch.Generator().manual_seed(0))
    signal: list[float | None] = [None] * length
    sums = 0
    for f in range(frames):
        for i in range(size):
            before, value = signal[f * hop + i], columns[0, i, f].item()
            signal[f * hop + i] = value if before is None else before + value
            sums += before is not None

    fold = nn.Fold((1, length), (1, size), stride=(1, hop))
    assert torch.allclose(fold(columns)[0, 0, 0], torch.tensor(signal), atol=1e-6)
    report = count(fold, columns)
    assert report.cost == OpCost(add=sums) == formula.overlap_add(columns.numel(), length)


def naive_istft(frames: Tensor, window: Tensor, hop: int) -> tuple[Tensor, OpCost]:
    """Divide overlapping windowed frames by overlapping squared windows, which are constants."""
    N, T = window.numel(), frames.shape[1]
    signal, envelope = torch.zeros(hop * (T - 1) + N), torch.zeros(hop * (T - 1) + N)
    mul = add = 0
    for t in range(T):
        for i, x in enumerate(torch.fft.irfft(frames[:, t], N)):
            signal[t * hop + i] += x * window[i]
            envelope[t * hop + i] += window[i] ** 2
            mul, add = mul + 1, add + 1
    kept = slice(N // 2, signal.numel() - N // 2)
    return signal[kept] / envelope[kept], OpCost(mul=mul, add=add, div=signal[kept].numel())


@pytest.mark.parametrize("frames", [4, 7])
def test_an_inverse_short_time_transform(frames: int) -> None:
    class Inverse(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.istft(x, 16, 4, window=torch.hann_window(16))

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(9, frames, dtype=torch.complex64, generator=generator)
    x[0].imag, x[-1].imag = torch.zeros(2, frames)
    expected, besides = naive_istft(x, torch.hann_window(16), 4)
    assert torch.allclose(Inverse()(x), expected, atol=1e-5)
    report = count(Inverse(), x)
    assert report.cost == formula.istft(frames, 16, expected.numel(), real=True)
    assert report.cost == formula.real_fft(frames, 16) + besides


@pytest.mark.parametrize("windowed", [False, True])
def test_complex_short_time_transforms_take_twice_as_much(windowed: bool) -> None:
    class There(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            window = torch.hann_window(16) if windowed else None
            return torch.stft(x, 16, 4, window=window, onesided=False, return_complex=True)

    x = torch.zeros(2, 64, dtype=torch.complex64)
    frames = 2 * 17
    report = count(There(), x)
    assert report.cost == formula.stft(frames, 16, real=False, windowed=windowed)
    products = OpCost(mul=2 * 16 * frames if windowed else 0)
    assert report.cost == formula.fft(frames, 16) + products


def test_a_short_time_transform_is_windows_and_transforms() -> None:
    class STFT(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            window = torch.hann_window(16)
            return torch.stft(x, 16, 4, window=window, center=False, return_complex=True)

    frames = 13
    report = count(STFT(), torch.zeros(64))
    assert report.complete
    assert report.cost == OpCost(mul=16 * frames) + formula.real_fft(frames, 16)
    assert report.cost == formula.stft(frames, 16, real=True, windowed=True)
