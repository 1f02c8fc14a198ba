"""GANSynth's waveform side against naive definitions; the fixtures are in test_gansynth."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from model_zoo.spectral import (
    InverseSTFT,
    MelInversion,
    accumulate_phase,
    compute_linear_to_mel_matrix,
    compute_mel_to_linear_matrix,
    differentiate_phase,
    overlap_add,
)
from tests.model_zoo.fidelity import relative_error


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(("bins", "nonzeros"), [(1024, 2042), (512, 1018)])
def test_the_mel_matrix_is_as_sparse_as_published(bins: int, nonzeros: int) -> None:
    assert compute_mel_to_linear_matrix(bins).count_nonzero() == nonzeros


def naive_mel_bands(bins: int, shared: bool) -> Tensor:
    """The published loop, on edges that are views of one buffer or, as one would think, are not."""

    def to_mel(hertz: Tensor) -> Tensor:
        return 1127 * torch.log(1 + hertz / 700)

    def to_hertz(mel: Tensor) -> Tensor:
        return 700 * (torch.exp(mel / 1127) - 1)

    top = to_mel(torch.tensor(8000.0, dtype=torch.float64)).item()
    edges = torch.linspace(0, top, bins + 2, dtype=torch.float64)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    if not shared:
        lower, centre, upper = lower.clone(), centre.clone(), upper.clone()
    narrowest = 1.5 * 8000 / bins
    for i in range(bins):
        if to_hertz(upper[i]) - to_hertz(lower[i]) < narrowest:
            half = 1127 * torch.asinh(0.5 * narrowest / (to_hertz(centre[i]) + 700))
            lower[i] = centre[i] - half
            upper[i] = centre[i] + half
    lower, centre, upper = to_hertz(lower), to_hertz(centre), to_hertz(upper)
    hertz = torch.linspace(0, 8000, bins, dtype=torch.float64)
    bands = torch.zeros(bins, bins, dtype=torch.float64)
    for k in range(1, bins):
        rising = (hertz[k] - lower) / (centre - lower)
        falling = (upper - hertz[k]) / (upper - centre)
        bands[k] = torch.clamp(torch.minimum(rising, falling), min=0)
    return bands


@pytest.mark.parametrize("bins", [16, 64, 512])
def test_mel_bands_are_the_published_loops(bins: int) -> None:
    bands = compute_linear_to_mel_matrix(bins)
    assert relative_error(bands, naive_mel_bands(bins, shared=True)) < 1e-9
    assert relative_error(bands, naive_mel_bands(bins, shared=False)) > 0.1


def test_mel_inverse_divides_by_the_column_sums() -> None:
    bands = compute_linear_to_mel_matrix(64)
    sums = (bands @ bands.T).sum(dim=0)
    inverse = compute_mel_to_linear_matrix(64)
    for k in range(64):
        expected = bands[k] / sums[k] if sums[k].abs() > 1e-8 else bands[k]
        assert torch.allclose(inverse[:, k], expected, rtol=1e-12, atol=0)


def naive_unwrapped_steps(phase: list[float]) -> list[float]:
    """Unwrap as NumPy does, step by step; then the steps, in half turns."""
    unwrapped = [phase[0]]
    for before, after in pairwise(phase):
        step = after - before
        wrapped = math.fmod(math.fmod(step + math.pi, 2 * math.pi) + 2 * math.pi, 2 * math.pi)
        wrapped -= math.pi
        if wrapped == -math.pi and step > 0:
            wrapped = math.pi
        unwrapped.append(unwrapped[-1] + wrapped)
    steps = [b - a for a, b in pairwise(unwrapped)]
    return [value / math.pi for value in (unwrapped[0], *steps)]


def test_instantaneous_frequency_is_the_unwrapped_phases_step() -> None:
    pi = math.pi
    tracks = [[0.5, 3.0, 9.5, 9.0, -20.0, 40.0], [7.0, 7.0 + 1.9 * pi, 0.0, 0.1, 0.0, 6.0]]
    phase = torch.tensor(tracks, dtype=torch.float64).T.unsqueeze(0)
    expected = torch.tensor([naive_unwrapped_steps(t) for t in tracks], dtype=torch.float64)
    found = differentiate_phase(phase)
    assert torch.allclose(found[0].T, expected, rtol=0, atol=1e-12)
    turned = (accumulate_phase(found) - phase) / (2 * pi)
    assert torch.allclose(turned, turned.round(), rtol=0, atol=1e-12)


def test_half_a_turn_keeps_its_direction() -> None:
    phase = torch.tensor([0.0, math.pi, 0.0], dtype=torch.float64).reshape(1, 3, 1)
    assert differentiate_phase(phase).flatten().tolist() == [0.0, 1.0, -1.0]


def test_overlap_add_sums_shifted_frames() -> None:
    frames = torch.randn(2, 3, 8)
    expected = torch.zeros(2, 12)
    for t in range(3):
        expected[:, 2 * t : 2 * t + 8] += frames[:, t]
    assert torch.allclose(overlap_add(frames), expected, atol=1e-6)


def test_inverse_stft_is_a_sum_of_windowed_cosines() -> None:
    spectrum = torch.randn(1, 3, 8, dtype=torch.complex128)
    n = torch.arange(16, dtype=torch.float64)
    hann = 0.5 - 0.5 * torch.cos(2 * math.pi * n / 16)
    expected = torch.zeros(24, dtype=torch.float64)
    for t, (*bins, highest) in enumerate(spectrum[0].tolist()):
        wave = highest.real * torch.cos(math.pi * n)  # real, and counted once: it has no mirror
        for k, value in enumerate(bins, start=1):  # the zero frequency was dropped
            wave = wave + 2 * (value * torch.exp(2j * math.pi * k * n / 16)).real
        expected[4 * t : 4 * t + 16] += wave / 16 * hann / 1.5
    assert relative_error(InverseSTFT(8, 24).double()(spectrum), expected[None]) < 1e-6
    assert relative_error(InverseSTFT(8, 10).double()(spectrum), expected[None, -10:]) < 1e-6


def test_inverse_stft_undoes_the_stft_between_the_ends() -> None:
    audio = torch.randn(1, 64 * 8, dtype=torch.float64)
    window = torch.hann_window(64, dtype=torch.float64)
    spectrum = torch.stft(audio, 64, 16, 64, window, center=False, return_complex=True)
    means = spectrum.mT[:, :, :1] * F.pad(torch.ones(1), (0, 32))  # what dropping bin 0 loses
    lost = overlap_add(torch.fft.irfft(means) * window / 1.5)
    recovered = InverseSTFT(32, 512).double()(spectrum.mT[:, :, 1:])
    middle = slice(64, -64)
    assert relative_error((recovered + lost)[:, middle], audio[:, middle]) < 1e-6


@pytest.mark.parametrize("frames_and_bins", [(128, 1024), (256, 512)], ids=["high", "low"])
def test_float32_suffices_at_full_size(frames_and_bins: tuple[int, int]) -> None:
    """The phase adds up twice over all frames: rounding must not."""
    inversion = MelInversion(frames_and_bins[1], 64_000)
    mel = torch.randn(2, 1, *frames_and_bins).tanh()
    single = inversion(4 * mel[0], mel[1])
    double = inversion.double()(4 * mel[0].double(), mel[1].double())
    assert relative_error(single, double) < 5e-3
