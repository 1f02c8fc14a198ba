"""Turn a mel spectrogram with instantaneous frequencies into a waveform, as GANSynth does.

Paper: Engel et al., "GANSynth: Adversarial Neural Audio Synthesis", ICLR 2019, arXiv 1902.08710.
Where the paper is silent, this follows the authors' code, github.com/magenta/magenta, commit
526d3eb, `magenta/models/gansynth/lib/spectral_ops.py` and `specgrams_helper.py`.

    mel log power     --exp, unmix bands, log-->     log magnitude  --+
                                                                      +--> STFT --> waveform
    mel frequencies   --sum, unmix bands, diff-->    frequencies    --+

An instantaneous frequency is the step of the phase from one frame to the next in half turns, so
in [-1, 1]. Letters in the shapes: B batch, T frames, F frequency bins, N samples.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NYQUIST = 8_000.0  # Hz, of audio at 16 kHz
MEL_BREAK_HERTZ = 700.0
MEL_SLOPE = 1127.0
LOG_FLOOR = 1e-6  # added to a power before its logarithm
OVERLAP = 4  # frames that cover each sample: the hop is a quarter of the window


def convert_hertz_to_mel(hertz: float) -> float:
    """Convert to the mel scale of HTK."""
    return MEL_SLOPE * math.log1p(hertz / MEL_BREAK_HERTZ)


def convert_mel_to_hertz(mel: float) -> float:
    """Undo `hertz_to_mel`."""
    return MEL_BREAK_HERTZ * math.expm1(mel / MEL_SLOPE)


def compute_mel_band_edges(bands: int) -> list[float]:
    """Compute band edges in Hz: band i rises from edge i to edge i + 1 and falls to edge i + 2.

    Bands narrower than 1.5 bins are widened around their centre. This also moves the edges they
    share with their neighbours, whose centres those are: in the published code, the three arrays
    of edges were views of one, and the model was trained on the result.
    """
    step = convert_hertz_to_mel(NYQUIST) / (bands + 1)
    edges = [step * i for i in range(bands + 2)]
    narrowest = 1.5 * NYQUIST / bands
    for i in range(bands):
        lower, centre, upper = map(convert_mel_to_hertz, edges[i : i + 3])
        if upper - lower < narrowest:
            half_width = MEL_SLOPE * math.asinh(0.5 * narrowest / (centre + MEL_BREAK_HERTZ))
            edges[i] = edges[i + 1] - half_width
            edges[i + 2] = edges[i + 1] + half_width
    return [convert_mel_to_hertz(edge) for edge in edges]


def compute_linear_to_mel_matrix(bins: int) -> Tensor:
    """Compute as many triangular mel bands as there are bins; the lowest bin belongs to none.

    Shape:
        result: (F linear bins, F mel bands), float64.
    """
    edges = torch.tensor(compute_mel_band_edges(bins), dtype=torch.float64)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    hertz = torch.linspace(0, NYQUIST, bins, dtype=torch.float64).unsqueeze(1)
    rising = (hertz - lower) / (centre - lower)
    falling = (upper - hertz) / (upper - centre)
    bands = torch.minimum(rising, falling).clamp(min=0)
    bands[0] = 0
    return bands


def compute_mel_to_linear_matrix(bins: int) -> Tensor:
    """Compute the approximate inverse of the mel bands M: `M.T @ diag(1 / (M @ M.T).sum(0))`.

    Shape:
        result: (F mel bands, F linear bins), float64.
    """
    bands = compute_linear_to_mel_matrix(bins)
    sums = bands @ bands.sum(dim=0)  # column sums of M @ M.T, without forming the product
    return bands.T * torch.where(sums.abs() > 1e-8, 1 / sums, sums)


def accumulate_phase(frequency: Tensor) -> Tensor:
    """Accumulate instantaneous frequencies (B, T, F) to a phase in radians."""
    return torch.cumsum(math.pi * frequency, dim=1)


def differentiate_phase(phase: Tensor) -> Tensor:
    """Undo `phase_of`, up to whole turns: each step of the unwrapped phase is at most half a turn.

    Shape:
        phase: (B, T, F); result: the same, its first frame the first phase.
    """
    step = phase.diff(dim=1)
    wrapped = torch.remainder(step + math.pi, 2 * math.pi) - math.pi
    # Half a turn may be written as pi or -pi: the step's own sign decides.
    wrapped = torch.where((wrapped == -math.pi) & (step > 0), math.pi, wrapped)
    return torch.cat((phase[:, :1], wrapped), dim=1) / math.pi


def overlap_add(frames: Tensor) -> Tensor:
    """Add frames that start a quarter of their length apart.

        frame 0  |a0|a1|a2|a3|
        frame 1     |b0|b1|b2|b3|
        result   |a0|a1+b0| ... |b3|

    Shape:
        frames: (B, T, 4 hop); result: (B, (T + 3) hop).
    """
    quarters = frames.unflatten(2, (OVERLAP, -1)).unbind(2)
    shifted = [F.pad(q, (0, 0, k, OVERLAP - 1 - k)) for k, q in enumerate(quarters)]
    return torch.stack(shifted).sum(dim=0).flatten(1)


class InverseSTFT(nn.Module):
    """Inverse STFT of a spectrogram with bins 1 to F, without the zero frequency.

    `torch.istft` divides by the windows' overlap at each sample; here every sample is divided by
    the overlap of four frames, so that the ends fade as published.

    Shape:
        spectrum: (B, T, F) complex; result: (B, N), the last N samples.
    """

    window: Tensor

    def __init__(self, bins: int, samples: int) -> None:
        super().__init__()
        self.samples = samples
        hann = torch.hann_window(2 * bins, periodic=True, dtype=torch.float64)
        overlapping_energy = 3 / 8 * OVERLAP  # the mean of hann^2 is 3/8
        window = (hann / overlapping_energy).to(torch.get_default_dtype())
        self.register_buffer("window", window, persistent=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        # Padded as pairs of real numbers: exporters do not support padding of complex ones.
        with_zero = torch.view_as_complex(F.pad(torch.view_as_real(spectrum), (0, 0, 1, 0)))
        frames = torch.fft.irfft(with_zero, n=len(self.window))
        return overlap_add(frames * self.window)[:, -self.samples :]


class MelInversion(nn.Module):
    """Inversion of mel log power and mel instantaneous frequency to a waveform.

    Shape:
        log_power, frequency: (B, T, F); result: (B, N).
    """

    mel_to_linear: Tensor

    def __init__(self, bins: int, samples: int) -> None:
        super().__init__()
        matrix = compute_mel_to_linear_matrix(bins).to(torch.get_default_dtype())
        self.register_buffer("mel_to_linear", matrix, persistent=False)
        self.inverse_stft = InverseSTFT(bins, samples)

    def forward(self, log_power: Tensor, frequency: Tensor) -> Tensor:
        log_magnitude, linear_frequency = self.convert_to_linear(log_power, frequency)
        spectrum = torch.polar(log_magnitude.exp(), accumulate_phase(linear_frequency))
        return self.inverse_stft(spectrum)

    def convert_to_linear(self, log_power: Tensor, frequency: Tensor) -> tuple[Tensor, Tensor]:
        """Return log magnitude and instantaneous frequency in linear bins, each (B, T, F)."""
        power = log_power.exp() @ self.mel_to_linear
        phase = accumulate_phase(frequency) @ self.mel_to_linear
        return 0.5 * torch.log(power + LOG_FLOOR), differentiate_phase(phase)
