"""SING: Symbol-to-Instrument Neural Generator (Défossez, Zeghidour, Usunier, Bottou & Bach, 2018).

Paper: arXiv 1810.09785. Where the paper is silent, this follows the authors' code,
github.com/facebookresearch/SING, commit 72054bd.

Three symbols become a musical note of four seconds, in one pass and without noise:

    instrument, pitch, velocity --SequenceGenerator--> 265 frames --Decoder--> 64,000 samples

    SequenceGenerator = embeddings -> LSTM over the frames -> linear projection
    Decoder           = convolution over neighbouring frames -> 1x1 convolutions
                        -> windowed transposed convolution (each frame adds 1024 samples)

Letters in the shapes: B batch, L frames, D channels of a frame, H width of the LSTM, C channels of
the decoder, N frames inside the decoder, K kernel and S stride of the transposed convolution.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from model_zoo.published import load_published
from model_zoo.sing_layers import conv1d_as_matmul, conv_transpose1d_as_overlap_add

SAMPLE_RATE = 16_000

#: MIDI velocity in NSynth -> row of the velocity table; row 3 is unused.
VELOCITY_ROWS = {25: 0, 50: 1, 75: 2, 100: 4, 127: 5}


@dataclass(frozen=True)
class SINGConfig:
    """Sizes of a SING; the defaults are those of the published training script on NSynth.

    Attributes:
        instruments: rows of the instrument table.
        pitches: rows of the pitch table.
        velocities: rows of the velocity table.
        instrument_dim: channels of an instrument's embedding.
        pitch_dim: channels of a pitch's embedding.
        velocity_dim: channels of a velocity's embedding.
        time_dim: channels of the embedding of each time step; 0 for no embedding.
        hidden_size: H, the width of the LSTM.
        lstm_layers: stacked layers of the LSTM.
        frame_dim: D, the channels of the frames between the two halves of the model.
        channels: C, the width of the decoder.
        stride: S, samples from one frame to the next.
        kernel_size: K, samples that one frame contributes to; at least S.
        context: neighbouring frames that the decoder's first convolution sees.
        rewrite_layers: 1x1 convolutions in the decoder.
        window: "hann" fades every frame's samples in and out; None leaves them unchanged.
        window_squared: whether the window is squared.
        frames: L, the rows of the time table and the frames of a whole note.
        crop: samples that are dropped at each end of the decoder's output.
    """

    instruments: int = 1006
    pitches: int = 120
    velocities: int = 6
    instrument_dim: int = 16
    pitch_dim: int = 8
    velocity_dim: int = 2
    time_dim: int = 4
    hidden_size: int = 1024
    lstm_layers: int = 3
    frame_dim: int = 128
    channels: int = 4096
    stride: int = 256
    kernel_size: int = 1024
    context: int = 9
    rewrite_layers: int = 2
    window: str | None = "hann"
    window_squared: bool = True
    frames: int = 265
    crop: int = 512

    def __post_init__(self) -> None:
        """Refuse sizes that no model can have, or that yield no sample."""
        if self.window not in ("hann", None):
            raise ValueError(f'window must be "hann" or None; got {self.window!r}')
        sizes = {name: size for name, size in vars(self).items() if not name.startswith("window")}
        for name, size in sizes.items():
            least = 0 if name in ("time_dim", "rewrite_layers", "crop") else 1
            if size < least:
                raise ValueError(f"{name} must be at least {least}; got {size}")
        if self.kernel_size < self.stride:
            raise ValueError(
                "kernel_size must be at least stride, so that frames cover all samples; "
                f"got {self.kernel_size} and {self.stride}"
            )
        self.count_samples(self.frames)

    def make_window(self) -> Tensor | None:
        """Return the window, (K,), which is zero at the first sample only; or None."""
        if self.window is None:
            return None
        window = torch.hann_window(self.kernel_size, periodic=True)
        return window.square() if self.window_squared else window

    def count_samples(self, frames: int) -> int:
        """Return the number of samples that frames yield after the crop.

        Raises:
            ValueError: they yield none.
        """
        samples = (frames - self.context + 2) * self.stride - self.kernel_size - 2 * self.crop
        if samples < 1:
            raise ValueError(
                f"{frames} frames yield no sample; at least {self.count_frames(1)} are needed"
            )
        return samples

    def count_frames(self, samples: int) -> int:
        """Return the smallest number of frames that yields at least ``samples``."""
        uncropped = samples + 2 * self.crop + self.kernel_size
        return self.context - 2 + -(-uncropped // self.stride)  # division rounded up


class Hidden(NamedTuple):
    """State of the LSTM between two chunks of a note."""

    h: Tensor  # (B, layers, H) outputs
    c: Tensor  # (B, layers, H) cells


class SequenceGenerator(nn.Module):
    """LSTM that maps the symbols of a note to its frames.

    Shape:
        instrument, pitch, velocity: (B, 1) row numbers; result: (B, D, length) frames.
    """

    def __init__(self, config: SINGConfig) -> None:
        super().__init__()
        self.tables = nn.ModuleList(
            (
                nn.Embedding(config.instruments, config.instrument_dim),
                nn.Embedding(config.pitches, config.pitch_dim),
                nn.Embedding(config.velocities, config.velocity_dim),
            )
        )
        self.time_table = nn.Embedding(config.frames, config.time_dim) if config.time_dim else None
        symbol_dim = config.instrument_dim + config.pitch_dim + config.velocity_dim
        self.lstm = nn.LSTM(symbol_dim + config.time_dim, config.hidden_size, config.lstm_layers)
        self.projection = nn.Linear(config.hidden_size, config.frame_dim)
        self.frames = config.frames

    def forward(
        self,
        instrument: Tensor,
        pitch: Tensor,
        velocity: Tensor,
        start: int = 0,
        length: int | None = None,
        hidden: Hidden | None = None,
    ) -> tuple[Tensor, Hidden]:
        """Return ``length`` frames from ``start`` on; None for the rest of the note.

        ``hidden`` is what the call for the frames before ``start`` returned; None at the start.
        """
        length = self.frames - start if length is None else length
        if self.time_table is not None and start + length > self.frames:
            raise ValueError(
                f"the time table ends after {self.frames} frames; {start + length} were asked for"
            )
        inputs = self.embed(instrument, pitch, velocity, start, length)
        state = None if hidden is None else tuple(s.transpose(0, 1).contiguous() for s in hidden)
        outputs, (h, c) = self.lstm(inputs, state)
        frames = self.projection(outputs).permute(1, 2, 0)
        return frames, Hidden(h.transpose(0, 1), c.transpose(0, 1))

    def embed(
        self, instrument: Tensor, pitch: Tensor, velocity: Tensor, start: int, length: int
    ) -> Tensor:
        """Return the LSTM's input at each step, the symbols included: (length, B, channels)."""
        symbols = (instrument, pitch, velocity)
        if any(ids.shape != (*instrument.shape[:1], 1) for ids in symbols):
            shapes = ", ".join(str(tuple(ids.shape)) for ids in symbols)
            raise ValueError(f"instrument, pitch and velocity must be (B, 1) each; got {shapes}")
        batch = len(instrument)
        embedded = [table(ids.squeeze(1)) for table, ids in zip(self.tables, symbols, strict=True)]
        steps = [torch.cat(embedded, dim=1).expand(length, batch, -1)]
        if self.time_table is not None:
            times = self.time_table.weight[start : start + length]
            steps.append(times.unsqueeze(1).expand(length, batch, -1))
        return torch.cat(steps, dim=2)


class FrameConv1d(nn.Conv1d):
    """Convolution over frames without padding or stride, computed by `conv1d_as_matmul`."""

    bias: nn.Parameter

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__(in_channels, out_channels, kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        return conv1d_as_matmul(x, self.weight, self.bias)


class WindowedConvTranspose1d(nn.ConvTranspose1d):
    """Transposed convolution that fades each frame's samples in and out.

    As published, the kernel is stored bare and multiplied by the window at every call; see
    `SING.fold`. Only samples that K / S frames overlap are kept, so K - S go at each end:

        frame 0   ########
        frame 1     ########
        frame 2       ########
        frame 3         ########
        frame 4           ########
        kept            ====

    Shape:
        x: (B, C, N); result: (B, 1, (N + 1) S - K).
    """

    bias: nn.Parameter
    window: Tensor | None

    def __init__(self, config: SINGConfig) -> None:
        super().__init__(
            in_channels=config.channels,
            out_channels=1,
            kernel_size=config.kernel_size,
            stride=config.stride,
            padding=config.kernel_size - config.stride,
        )
        self.register_buffer("window", config.make_window())

    def compute_kernel(self) -> Tensor:
        """Return the kernel that is applied: (C, 1, K)."""
        return self.weight if self.window is None else self.weight * self.window

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        if output_size is not None:
            raise NotImplementedError("the output size follows from the kernel and the stride")
        return conv_transpose1d_as_overlap_add(
            x, self.compute_kernel(), self.bias, self.stride[0], int(self.padding[0])
        )


class Decoder(nn.Module):
    """Convolutions that map frames to a waveform.

    Shape:
        frames: (B, D, L); result: (B, (L - context + 2) S - K).
    """

    def __init__(self, config: SINGConfig) -> None:
        super().__init__()
        self.context = FrameConv1d(config.frame_dim, config.channels, config.context)
        self.rewrites = nn.ModuleList(
            FrameConv1d(config.channels, config.channels, 1) for _ in range(config.rewrite_layers)
        )
        self.synthesis = WindowedConvTranspose1d(config)

    def forward(self, frames: Tensor) -> Tensor:
        x = torch.relu_(self.context(frames))
        for rewrite in self.rewrites:
            x = torch.relu_(rewrite(x))
        return self.synthesis(x).squeeze(1)


class SING(nn.Module):
    """The whole generator. Calling it generates, as `generate` does.

    Shape:
        instrument, pitch, velocity: (B, 1); result: (B, samples).
    """

    def __init__(self, config: SINGConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SINGConfig()
        self.sequence_generator = SequenceGenerator(config)
        self.decoder = Decoder(config)

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: SINGConfig | None = None
    ) -> Self:
        """Build a model with the weights of the authors' checkpoint, under their tensor names.

        Raises:
            PublishedWeightsError: a tensor is missing, surplus or misshapen.
        """
        model = cls(config)
        load_published(
            model,
            state_dict,
            partial(get_published_name, config=model.config),
            training_only=lambda name: name.startswith("encoder."),
        )
        return model

    def fold(self) -> Self:
        """Return this model with the window multiplied into the kernel once, not at every call."""
        if self.config.window is None:
            return self
        with torch.device("meta"):  # the values come from this model, so none are made here
            model = type(self)(replace(self.config, window=None))
        state = {name: tensor.detach() for name, tensor in self.state_dict().items()}
        del state["decoder.synthesis.window"]
        state["decoder.synthesis.weight"] = self.decoder.synthesis.compute_kernel().detach()
        model.load_state_dict(state, assign=True)
        return model.train(self.training)

    def forward(
        self, instrument: Tensor, pitch: Tensor, velocity: Tensor, frames: int | None = None
    ) -> Tensor:
        """Generate notes; see `generate`."""
        samples = self.config.count_samples(self.config.frames if frames is None else frames)
        sequence, _ = self.sequence_generator(instrument, pitch, velocity, length=frames)
        return self.decoder(sequence).narrow(1, self.config.crop, samples)

    @torch.no_grad()
    def generate(
        self, instrument: Tensor, pitch: Tensor, velocity: Tensor, frames: int | None = None
    ) -> Tensor:
        """Generate notes.

        Args:
            instrument: (B, 1) integers, NSynth's instrument numbers.
            pitch: (B, 1) integers, MIDI pitches.
            velocity: (B, 1) integers, rows as in `VELOCITY_ROWS`.
            frames: number of frames to generate from the note's start; None for all. More than
                ``config.frames`` are possible only without a time embedding.

        Returns:
            (B, ``config.count_samples(frames)``) audio in about [-1, 1]; not clipped, see `pcm16`.

        Raises:
            ValueError: the symbols are not (B, 1), or there are too few or too many frames.
        """
        audio: Tensor = self(instrument, pitch, velocity, frames)
        return audio


def convert_to_pcm16(audio: Tensor) -> Tensor:
    """Return audio as the 16-bit integers of a WAV file: clipped, and rounded towards zero."""
    return (audio.clamp(-1, 1) * 32_767).to(torch.int16)


def get_published_name(name: str, config: SINGConfig) -> str:
    """Return the authors' name of one of our tensors; they number layers and ReLUs alike."""
    layer, _, tensor = name.rpartition(".")
    last = f"decoder.layers.{2 + 2 * config.rewrite_layers}"
    inner = ".conv_tr" if config.window is not None and tensor != "window" else ""
    layers = {
        "sequence_generator.projection": "sequence_generator.decoder",
        "decoder.context": "decoder.layers.0",
        "decoder.synthesis": f"{last}{inner}",
    }
    for i in range(config.rewrite_layers):
        layers[f"decoder.rewrites.{i}"] = f"decoder.layers.{2 + 2 * i}"
    return f"{layers.get(layer, layer)}.{tensor}"
