"""The common part of both forms of SampleRNN: tiers of recurrent networks above an MLP.

Paper: Mehri et al., ICLR 2017, arXiv 1612.07837, section 2. A tier runs once per frame of its own
length. From the frame before it and from the tier above it makes one conditioning vector for each
frame of the tier below; at the bottom an MLP draws one sample at a time. With frames of 2 and 8:

    tier 1   [       8       |       8       | ...
               v   v   v   v   v   v   v   v         a vector for each frame of tier 0
    tier 0   [ 2 | 2 | 2 | 2 | 2 | 2 | 2 | 2 | ...
              v v v v v v v v v v v v v v v v        a vector for each sample
    MLP       s s s s s s s s s s s s s s s s        that sample's logits

Letters in the shapes: B batch, T samples, F frames, N samples per frame of a tier, R vectors that
a tier makes per frame (N over the N of the tier below), D width, Q levels.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor, nn

from model_zoo.samplernn_layers import RecurrentStack, StreamedLinear, hold_kernels_ready

SAMPLE_RATE = 16_000


@dataclass(frozen=True)
class TieredConfig:
    """Settings that the configurations of both forms have in common.

    Attributes:
        frame_sizes: N of each tier, lowest first; each a multiple of the one before.
        dim: D, the width of every layer.
        rnn_layers: recurrent cells in each tier.
        levels: Q, the quantisation levels of a sample.
        weight_norm: whether kernels are stored weight-normed; False stores plain ones.
        learned_h0: whether the initial states of the cells are parameters, else buffers.
    """

    frame_sizes: tuple[int, ...]
    dim: int
    rnn_layers: int
    levels: int
    weight_norm: bool = field(default=True, kw_only=True)
    learned_h0: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse sizes that no model can have."""
        if min(self.dim, self.rnn_layers, self.levels - 1, *self.frame_sizes) < 1:
            raise ValueError(f"sizes must be positive, and levels at least 2; got {self}")
        if not self.frame_sizes or any(
            frame % below or frame == below for frame, below in self.frames_and_below[1:]
        ):
            raise ValueError(
                "frame_sizes must ascend, in samples, each a multiple of the one before; "
                f"got {self.frame_sizes}"
            )

    @property
    def frames_and_below(self) -> list[tuple[int, int]]:
        """Pairs of N of each tier, lowest first, and of the tier below; the MLP's is 1."""
        return list(zip(self.frame_sizes, (1, *self.frame_sizes), strict=False))


class Tier(nn.Module):
    """One tier: maps a frame of samples, and a vector from above, to R vectors.

    Args:
        frame: N.
        below: N of the tier below.
        silence: level of silence, about Q/2, which the cells see as 0.
        expand: linear map N -> D of a frame; None passes frames to the cells unchanged.
        rnn: the recurrent cells.
        upsampling: linear map D -> R D.

    Shape:
        frames: (B, F, N) levels; above: (B, F, D), None in the top tier;
        result: (B, F R, D), states after the last frame.
    """

    def __init__(
        self,
        frame: int,
        below: int,
        silence: float,
        expand: nn.Module | None,
        rnn: RecurrentStack,
        upsampling: nn.Module,
    ) -> None:
        super().__init__()
        self.frame, self.below = frame, below
        self.silence = silence
        self.expand = expand
        self.rnn = rnn
        self.upsampling = upsampling

    def compute_hidden(
        self, frames: Tensor, above: Tensor | None, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the cells' outputs for the frames, (B, F, D), and their states after the last."""
        x = 2 * (frames.to(self.rnn.h0.dtype) / self.silence - 1)  # in [-2, 2)
        x = x if self.expand is None else self.expand(x)
        return self.rnn(x if above is None else x + above, states)

    def forward(
        self, frames: Tensor, above: Tensor | None, states: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        hidden, states = self.compute_hidden(frames, above, states)
        batch, count, dim = hidden.shape
        per_frame = self.frame // self.below
        return self.upsampling(hidden).view(batch, count * per_frame, dim), states


class SampleLevel(nn.Module):
    """The MLP below the tiers: predicts logits of one sample from the N samples before it.

    Args:
        embedding: levels as vectors, (...) -> (..., E).
        window: linear map of N embedded samples, oldest first, N E -> D.

    Shape:
        window: (..., N) levels; vector: (..., D) of the lowest tier; result: (..., Q).
    """

    def __init__(self, embedding: nn.Module, window: StreamedLinear) -> None:
        super().__init__()
        self.embedding = embedding
        self.window = window

    def forward(self, window: Tensor, vector: Tensor) -> Tensor:
        return self.apply_later_layers(self.window(self.embed(window).flatten(-2)) + vector)

    def embed(self, levels: Tensor) -> Tensor:
        """Return levels as vectors, (...) -> (..., E), in the type of the kernels."""
        return self.embedding(levels).to(self.window.dtype)

    def apply_later_layers(self, x: Tensor) -> Tensor:
        """Map the sum of the first layer and the vector, (..., D), to logits, (..., Q)."""
        raise NotImplementedError


class RunningTier:
    """A tier during generation, with the tiers above it.

    It keeps the states of its cells and the vectors of its current frame.
    """

    vectors: Tensor  # (B, R, D), from the first frame on

    def __init__(self, tier: Tier, above: "RunningTier | None", batch: int) -> None:
        self.tier = tier
        self.above = above
        self.states = tier.rnn.make_initial_states(batch)

    def get_vectors_at(self, t: int, levels: Tensor) -> Tensor:
        """Return the vectors (B, R, D) of the frame that sample t lies in.

        Runs the tier, and those above if necessary, if the frame begins with sample t.

        Shape:
            levels: (B, T), known before t.
        """
        if t % self.tier.frame == 0:
            frame = levels[:, None, t - self.tier.frame : t]
            above = None if self.above is None else self.above.get_vector_at(t, levels)
            self.vectors, self.states = self.tier(frame, above, self.states)
        return self.vectors

    def get_vector_at(self, t: int, levels: Tensor) -> Tensor:
        """Return the vector (B, 1, D) for the frame below that sample t lies in."""
        place = t % self.tier.frame // self.tier.below
        return self.get_vectors_at(t, levels)[:, place : place + 1]


class RunningWindow:
    """The first layer of the MLP during generation: the sums that its later layers see.

    With N = 16 this kernel is three quarters of the MLP's weights. Reading it from memory for every
    sample would also evict the other kernels from the caches. But when a frame begins, the frame
    before it is known, so that what its samples add to the sums of all N samples is added at once,
    tap by tap. A sample then needs only the taps that reach back within its own frame, half of them
    on average. Every tap still multiplies every sample once; the port takes an eighth less time.

        sample t + 3     tap 0  tap 1  ...  tap N-4 | tap N-3  tap N-2  tap N-1
        multiplies       t+3-N  t+4-N  ...    t-1   |    t       t+1      t+2
                         when the frame begins, t   | when its turn comes
    """

    sums: Tensor  # (B, N, D), of the current frame, without the taps yet to be applied

    def __init__(self, mlp: SampleLevel, lowest: RunningTier) -> None:
        self.mlp = mlp
        self.lowest = lowest
        self.size = lowest.tier.frame

    def get_sum_at(self, t: int, levels: Tensor) -> Tensor:
        """Return the sum (B, D) for sample t, including the tier's vector; levels: (B, T).

        On the "meta" device, where there is no memory to wait for, the published form runs and is
        counted: one product with the whole window.
        """
        if levels.is_meta:
            window = self.mlp.embed(levels[:, t - self.size : t]).flatten(1)
            return self.mlp.window(window) + self.lowest.get_vector_at(t, levels)[:, 0]
        place = t % self.size
        if place == 0:
            self._begin(t, levels)
            return self.sums[:, 0]
        recent = self.mlp.embed(levels[:, t - place : t]).flatten(1)
        return self.sums[:, place] + self.mlp.window.apply_taps(recent, self.size - place)

    def _begin(self, t: int, levels: Tensor) -> None:
        """Begin a frame, which the end of the levels may truncate."""
        before = self.mlp.embed(levels[:, t - self.size : t])
        self.sums = self.lowest.get_vectors_at(t, levels).clone()
        remaining = levels.shape[1] - t
        for tap in range(self.size):
            seen = before[:, tap : tap + remaining]  # by this tap of the first windows
            self.sums[:, : seen.shape[1]].add_(self.mlp.window.apply_taps(seen, tap))


class TieredModel(nn.Module):
    """Tiers above an MLP, and the loop that generates with them. Calling it generates audio.

    Args:
        config: configuration of the subclass.
        tiers: tiers, lowest first.
        mlp: network below the tiers.

    Attributes:
        progress: function that is called with the share of generated samples now and then; or None.

    Shape:
        uniforms: (B, T), one number in [0, 1) per sample to draw; result: (B, T) audio.
    """

    progress: Callable[[float], None] | None = None

    def __init__(self, config: TieredConfig, tiers: Iterable[Tier], mlp: SampleLevel) -> None:
        super().__init__()
        self.config = config
        self.tiers = nn.ModuleList(tiers)
        self.mlp = mlp

    @property
    def lookback(self) -> int:
        """Silent samples before the first generated one: a frame of the top tier."""
        return self.config.frame_sizes[-1]

    @property
    def top_down(self) -> list[Tier]:
        """Tiers, the top one first."""
        return [tier for tier in reversed(self.tiers) if isinstance(tier, Tier)]

    def convert_to_waveform(self, levels: Tensor) -> Tensor:
        """Return audio in [-1, 1] of whole sequences of levels with look-back: (B, T) -> (B, T)."""
        raise NotImplementedError

    def forward(self, uniforms: Tensor) -> Tensor:
        batch, length = uniforms.shape
        levels = self.continue_silence(length, batch, uniforms)
        return self.convert_to_waveform(levels)[:, self.lookback :]

    @torch.no_grad()
    def generate(
        self,
        length: int,
        batch: int = 1,
        generator: torch.Generator | None = None,
        uniforms: Tensor | None = None,
    ) -> Tensor:
        """Generate audio that follows silence.

        Args:
            length: T, samples to generate, without the silence before them.
            batch: B, sequences to generate side by side.
            generator: source of the draws, for reproducible ones.
            uniforms: (B, T), uniform numbers in [0, 1) for the draws; drawn here if None.

        Returns:
            (B, T) audio in [-1, 1].
        """
        if uniforms is None:
            uniforms = torch.rand(
                (batch, length),
                generator=generator,
                device=next(self.parameters()).device,
                dtype=torch.float64,
            )
        refuse_misshapen(uniforms, batch, length)
        audio: Tensor = self(uniforms)
        return audio

    @torch.no_grad()
    def continue_silence(self, length: int, batch: int, uniforms: Tensor | None) -> Tensor:
        """Return the silent look-back and ``length`` generated levels: (B, lookback + length).

        Shape:
            uniforms: (B, length), see `draw_level`; None takes the most likely level every time.
        """
        if length < 0:
            raise ValueError(f"length must not be negative; got {length}")
        start = self.lookback
        levels = next(self.parameters()).new_empty(batch, start + length, dtype=torch.long)
        levels.fill_(self.config.levels // 2)
        draws = [None] * length if uniforms is None else _split_by_sample(uniforms)
        top, *lower = self.top_down
        running = RunningTier(top, None, batch)
        for tier in lower:
            running = RunningTier(tier, running, batch)
        window = RunningWindow(self.mlp, running)
        with hold_kernels_ready(self):
            for t, uniform in enumerate(draws, start):
                logits = self.mlp.apply_later_layers(window.get_sum_at(t, levels))
                levels[:, t : t + 1] = draw_level(logits, uniform)
                if self.progress is not None and t % self.lookback == 0:
                    self.progress((t - start + 1) / length)
        return levels

    def logits(self, levels: Tensor) -> Tensor:
        """Return logits of every level after the look-back, by teacher forcing.

        Shape:
            levels: (B, lookback + T), the last of which is only predicted; result: (B, T, Q).
        """
        if levels.shape[1] <= self.lookback:
            raise ValueError(
                f"levels must be longer than the look-back of {self.lookback}; "
                f"got {levels.shape[1]}"
            )
        top, *lower = self.top_down
        vectors = self._run_forced(top, levels, None)
        for tier in lower:
            vectors = self._run_forced(tier, levels, vectors)
        windows = self.get_preceding(levels, self.config.frame_sizes[0], stride=1)
        return self.mlp(windows, vectors[:, : windows.shape[1]])

    def _run_forced(self, tier: Tier, levels: Tensor, above: Tensor | None) -> Tensor:
        """Return a tier's vectors for all frames that begin before the last level: (B, F R, D)."""
        frames = self.get_preceding(levels, tier.frame, stride=tier.frame)
        above = None if above is None else above[:, : frames.shape[1]]
        vectors, _ = tier(frames, above, tier.rnn.make_initial_states(levels.shape[0]))
        return vectors

    def get_preceding(self, levels: Tensor, size: int, stride: int) -> Tensor:
        """Return what precedes every stride-th level from the look-back's end on: (B, F, size)."""
        return levels[:, self.lookback - size : -1].unfold(1, size, stride)

    def fold(self) -> Self:
        """Return this model with plain kernels: weight norm is computed once and not stored."""
        if not self.config.weight_norm:
            return self
        state = self.state_dict()
        for path, layer in self.named_modules():
            if isinstance(layer, StreamedLinear):
                state[f"{path}.weight"] = layer.compute_weight()
        with torch.device("meta"):  # the values come from `state`, so none are made here
            config = replace(self.config, weight_norm=False)
            model = type(self)(config)  # type: ignore[call-arg]  # a subclass needs nothing else
        plain = {name: state[name].detach() for name in model.state_dict()}
        model.load_state_dict(plain, assign=True)
        return model.train(self.training)


def draw_level(logits: Tensor, uniform: Tensor | None) -> Tensor:
    """Draw one level per row: the most likely, or the one that a uniform number selects.

    It is the number of cumulative probabilities below the uniform number. This has the distribution
    of `torch.multinomial` and, for given numbers, gives the same draw on every device.

    Shape:
        logits: (B, Q); uniform: (B, 1), float64, or None; result: (B, 1), integers below Q.
    """
    if uniform is None:
        return logits.argmax(-1, keepdim=True)
    cumulative = torch.softmax(logits, -1, dtype=torch.float64).cumsum(-1)
    return torch.searchsorted(cumulative, uniform).clamp_max(logits.shape[-1] - 1)


def _split_by_sample(uniforms: Tensor) -> tuple[Tensor, ...]:
    """Split (B, T) uniform numbers into one contiguous (B, 1) tensor per sample, float64."""
    return uniforms.double().t().unsqueeze(-1).contiguous().unbind(0)


def quantise_linearly(audio: Tensor, levels: int, margin: float) -> Tensor:
    """Quantise audio, every row scaled to its extremes: (B, T) -> (B, T) integers.

    Without the margin an amplitude of 1 would get the level Q, which does not exist.
    """
    scaled = scale_to_unit_range(audio.double())  # float32 would round a small margin away
    return (scaled * (levels - margin) + margin / 2).long()


def scale_to_unit_range(x: Tensor) -> Tensor:
    """Shift and scale every row of (B, T) to [0, 1]; a constant row becomes 0."""
    x = x - x.amin(1, keepdim=True)
    return x / x.amax(1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny)


def refuse_misshapen(uniforms: Tensor, batch: int, length: int) -> None:
    """Raise ValueError unless there is one uniform number per sample of every sequence."""
    if uniforms.shape != (batch, length):
        raise ValueError(
            f"uniforms must be (batch, length) = {batch, length}, not {tuple(uniforms.shape)}"
        )
