"""WaveGAN: adversarial audio synthesis (Donahue, McAuley & Puckette, ICLR 2019).

Paper: arXiv 1802.04208. Where the paper is silent, this follows the authors' code,
github.com/chrisdonahue/wavegan, commit 40e85e8 (TensorFlow 1).

A latent vector becomes one clip of fixed length; longer audio is several independent clips:

    z (100) --dense--> 16 steps x 1024 channels --up x4--> 64 x 512 --up x4--> 256 x 256
              --up x4--> 1024 x 128 --up x4--> 4096 x 64 --up x4--> 16384 samples

Clips of 32768 or 65536 samples start from 2048 channels and take one more layer. The discriminator,
which generation does not need, is in `model_zoo.wavegan_training`.

Letters in the shapes: B batch, C and O input and output channels, T steps, s stride, k taps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model_zoo.published import load_published

SAMPLE_RATE = 16_000
FIRST_STEPS = 16  # number of steps that the dense layer makes

#: Length of a clip -> strides of the up-convolutions, whose product times FIRST_STEPS it is.
STRIDES = {
    16_384: (4, 4, 4, 4, 4),
    32_768: (4, 4, 4, 4, 4, 2),
    65_536: (4, 4, 4, 4, 4, 4),
}


@dataclass(frozen=True)
class WaveGANConfig:
    """Sizes of a WaveGAN; the defaults are those of the published training script.

    Attributes:
        samples: length of a clip: 16384, 32768 or 65536.
        dim: channels before the last layer; each layer before it has twice as many.
        post_filter: length of a learned filter over the finished audio, 512 if the authors use one;
            None for no filter.
        batch_norm: whether to normalise before every rectifier.
        upsample: "zeros" stretches time by transposed convolution; "nn" repeats each step and then
            convolves, at s times the cost.
        channels: audio channels.
        latent_dim: length of the latent vector.
        kernel_size: k.
    """

    samples: int = 16_384
    dim: int = 64
    post_filter: int | None = None
    batch_norm: bool = False
    upsample: Literal["zeros", "nn"] = "zeros"
    channels: int = 1
    latent_dim: int = 100
    kernel_size: int = 25

    def __post_init__(self) -> None:
        """Refuse settings that the published code cannot build either."""
        if self.samples not in STRIDES:
            raise ValueError(f"samples must be one of {tuple(STRIDES)}; got {self.samples}")
        if self.upsample not in ("zeros", "nn"):
            raise ValueError(f'upsample must be "zeros" or "nn"; got {self.upsample!r}')
        if min(self.dim, self.channels, self.latent_dim, self.post_filter or 1) < 1:
            raise ValueError(f"sizes must be positive; got {self}")
        if self.kernel_size < max(self.strides):
            raise ValueError(f"the kernel must cover the stride of 4; got {self.kernel_size} taps")
        if self.post_filter is not None and self.channels > 1:
            raise ValueError(f"the post filter takes one channel; got {self.channels}")

    @property
    def strides(self) -> tuple[int, ...]:
        """Stride of each up-convolution."""
        return STRIDES[self.samples]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels into each up-convolution, then those of the audio."""
        return (*(self.dim << i for i in reversed(range(len(self.strides)))), self.channels)


def compute_same_padding(kernel_size: int, stride: int) -> tuple[int, int]:
    """Return TensorFlow's "SAME" padding, left and right, of a length that the stride divides.

    A transposed convolution crops as much from its output. An odd sample goes to the right: 25 taps
    at stride 4 give 10 and 11, whereas torch's symmetric ``padding=11`` would shift by a sample.
    """
    both = kernel_size - stride
    return both // 2, both - both // 2


class SameConv1d(nn.Conv1d):
    """Convolution with TensorFlow's "SAME" padding.

    Shape:
        x: (B, C, T); result: (B, O, T / s).
    """

    stride: tuple[int]

    def __init__(
        self, in_channels: int, out_channels: int, taps: int, stride: int = 1, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, taps, stride, bias=bias)
        self.same_padding = compute_same_padding(taps, stride)
        initialise(self.weight, self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.same_padding))


class NearestUpConv(SameConv1d):
    """Repeat each step ``factor`` times, then convolve: up-convolution of the "nn" variant.

    Shape:
        x: (B, C, T); result: (B, O, factor T).
    """

    def __init__(self, in_channels: int, out_channels: int, taps: int, factor: int) -> None:
        super().__init__(in_channels, out_channels, taps)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.repeat_interleave(self.factor, dim=2))


class UpConv(nn.Module):
    """Transposed convolution cropped to s times the input's length, as TensorFlow's "SAME" does.

    The weight is (k, O, C), TensorFlow's order, in which `conv_transpose1d_by_products` reads it.

    Shape:
        x: (B, C, T); result: (B, O, s T).
    """

    def __init__(self, in_channels: int, out_channels: int, taps: int, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(taps, out_channels, in_channels))
        self.bias = nn.Parameter(torch.empty(out_channels))
        self.stride = stride
        self.crop, _ = compute_same_padding(taps, stride)
        initialise(self.weight.permute(2, 1, 0), self.bias)

    def forward(self, x: Tensor) -> Tensor:
        if prefers_products(x):
            whole = conv_transpose1d_by_products(x, self.weight, self.stride)
        else:
            # Cropped below, since oneDNN 3.12 with padding=10 is wrong for long clips.
            whole = F.conv_transpose1d(x, self.weight.permute(2, 1, 0), stride=self.stride)
        return whole[..., self.crop : self.crop + self.stride * x.shape[2]] + self.bias[:, None]


def initialise(weight: Tensor, bias: Tensor | None) -> None:
    """Draw the weight and clear the bias as TensorFlow's layers do (Glorot, uniform)."""
    nn.init.xavier_uniform_(weight.detach())
    if bias is not None:
        nn.init.zeros_(bias)


def prefers_products(x: Tensor) -> bool:
    """Return whether to use the form made for CPUs.

    Exporters get the named operator instead; so does autocast, which cannot change the type of
    sums that already exist.
    """
    traced = torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
    return x.device.type == "cpu" and not traced


def conv_transpose1d_by_products(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Compute `F.conv_transpose1d` as matrix products, each added to the outputs it contributes to.

    On a CPU a clip takes two thirds (16384 samples) to a quarter (65536) of the time, since torch's
    form reorders the weight at every call. The multiplications are the same, `k * C * O * T`. With
    stride 4, each row being four output steps:

        row t      +=  x[t] @ taps 0..3
        row t + 1  +=  x[t] @ taps 4..7    and so on

    Shape:
        x: (B, C, T); weight: (k, O, C); result: (B, O, s (T + ceil(k / s) - 1)), which is torch's
        and up to s - 1 zeros more.
    """
    (batch, _, steps), out_channels = x.shape, weight.shape[1]
    taps = weight.flatten(0, 1)
    groups = taps.split(stride * out_channels)  # each (s O, C), the last one less
    signal = x.permute(2, 0, 1).flatten(0, 1)  # time first: a later step is a later row
    out_steps = steps + len(groups) - 1
    rows = x.new_zeros(out_steps * batch, stride * out_channels)
    # Views are made one by one: autograd refuses writes to a view made before another was written.
    windows = (rows[i * batch : (i + steps) * batch, : len(g)] for i, g in enumerate(groups))
    if has_few_steps(signal):
        products = multiply_few_steps(signal, taps).split(stride * out_channels, dim=1)
        for window, product in zip(windows, products, strict=True):
            window.add_(product)
    else:
        for window, group in zip(windows, groups, strict=True):
            add_product(window, signal, group)
    return rows.view(out_steps, batch, stride, out_channels).permute(1, 3, 0, 2).flatten(2)


def add_product(total: Tensor, signal: Tensor, weight: Tensor) -> None:
    """Add ``signal @ weight.T`` in place, without a temporary tensor unless gradients are enabled.

    Shape:
        total: (N, M); signal: (N, C); weight: (M, C).
    """
    if torch.is_grad_enabled():
        total += signal @ weight.t()
    else:  # not `addmm_`, which torch's counter of operations does not know
        torch.addmm(total, signal, weight.t(), out=total)


def has_few_steps(signal: Tensor) -> bool:
    """Return whether `multiply_few_steps` is faster for (N, C), as measured on two cores.

    On one thread torch computes such a convolution as a matrix product anyway.
    """
    return 0 < len(signal) <= 64 and torch.get_num_threads() > 1


def multiply_few_steps(signal: Tensor, weight: Tensor) -> Tensor:
    """Compute ``signal @ weight.T`` as a 1x1 convolution in which the weight is the image.

    A matrix product repacks its operands, which for a large weight and few rows takes longer than
    multiplying. oneDNN's convolution repacks only the filters, here the few rows, and reads the
    image in place: half the time at 16 rows.

    Shape:
        signal: (N, C); weight: (M, C); result: (N, M).
    """
    image = weight[None, :, None, :].permute(0, 3, 1, 2)  # (1, C, M, 1), channels last in memory
    filters = signal[:, :, None, None]
    return F.conv2d(image, filters)[0, :, :, 0]


class WaveGAN(nn.Module):
    """The generator. Calling it generates, as `generate` does.

    A new model is in evaluation mode: batch norm uses its moving averages, as in the published
    generation graph.

    Shape:
        z: (B, latent_dim); audio: (B, channels, samples).
    """

    def __init__(self, config: WaveGANConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or WaveGANConfig()
        *inner, _ = widths = config.widths
        self.project = nn.Linear(config.latent_dim, FIRST_STEPS * widths[0])
        initialise(self.project.weight, self.project.bias)
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(width, eps=1e-3, momentum=0.01) if config.batch_norm else nn.Identity()
            for width in inner
        )
        upconv = UpConv if config.upsample == "zeros" else NearestUpConv
        self.upconvs = nn.ModuleList(
            upconv(width, next_width, config.kernel_size, stride)
            for width, next_width, stride in zip(inner, widths[1:], config.strides, strict=True)
        )
        self.post_filter = (
            SameConv1d(1, 1, config.post_filter, bias=False) if config.post_filter else None
        )
        self.eval()

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], config: WaveGANConfig | None = None
    ) -> Self:
        """Build a model with the weights of the authors' checkpoint, in TensorFlow's layouts.

        Raises:
            PublishedWeightsError: a tensor is missing, surplus or misshapen.
        """
        model = cls(config)
        load_tensorflow(
            model.list_tensorflow_scopes(),
            state_dict,
            training_only=lambda name: name.startswith("D/") or is_optimiser_state(name),
        )
        return model

    def list_tensorflow_scopes(self) -> dict[str, list[nn.Module]]:
        """Return the layers in each of the authors' variable scopes."""
        scopes = {"G/z_project": [self.project, self.norms[0]]}
        for i, upconv in enumerate(self.upconvs):
            scopes[f"G/upconv_{i}"] = [upconv, *self.norms[i + 1 : i + 2]]
        if self.post_filter is not None:
            scopes["G/pp_filt"] = [self.post_filter]
        return scopes

    def draw(self, batch: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw latent vectors, uniform in [-1, 1): (batch, latent_dim)."""
        z = self.project.weight.new_empty(batch, self.config.latent_dim)
        return z.uniform_(-1, 1, generator=generator)

    def forward(
        self, z: Tensor | None = None, batch: int = 1, generator: torch.Generator | None = None
    ) -> Tensor:
        """Generate clips; see `generate`."""
        audio = self.generate_unfiltered(self.draw(batch, generator) if z is None else z)
        return audio if self.post_filter is None else self.post_filter(audio)

    @torch.no_grad()
    def generate(
        self, z: Tensor | None = None, batch: int = 1, generator: torch.Generator | None = None
    ) -> Tensor:
        """Generate one clip for each latent vector.

        Args:
            z: (B, latent_dim), uniform in [-1, 1] in the published training; drawn when None.
            batch: B, used if z is drawn.
            generator: source of z, for reproducible draws.

        Returns:
            (B, channels, samples) audio in [-1, 1]; a post filter may exceed that.
        """
        audio: Tensor = self(z, batch, generator)
        return audio

    def generate_unfiltered(self, z: Tensor) -> Tensor:
        """Generate audio before the post filter: (B, latent_dim) -> (B, channels, samples)."""
        x = self.project(z).unflatten(1, (FIRST_STEPS, -1)).transpose(1, 2)
        for norm, upconv in zip(self.norms, self.upconvs, strict=True):
            x = upconv(torch.relu(norm(x)))
        return torch.tanh(x)


def convert_to_int16(audio: Tensor) -> Tensor:
    """Return audio as the authors export it: 16-bit, clipped, rounded towards zero."""
    return (audio * 32_767).clamp(-32_767, 32_767).to(torch.int16)


# ------------------------------------------------------------------ the authors' checkpoints


def view_dense(layer: nn.Linear) -> dict[str, Tensor]:
    """Return a dense layer's tensors in TensorFlow's layout: kernel (in, out)."""
    return {"dense/kernel": layer.weight.t(), "dense/bias": layer.bias}


def view_conv1d(layer: nn.Conv1d) -> dict[str, Tensor]:
    """Return a convolution's tensors in TensorFlow's layout: kernel (k, in, out)."""
    kernel = {"conv1d/kernel": layer.weight.permute(2, 1, 0)}
    return kernel if layer.bias is None else kernel | {"conv1d/bias": layer.bias}


def view_conv2d_transpose(layer: UpConv) -> dict[str, Tensor]:
    """Return a transposed convolution's tensors in TensorFlow's layout: kernel (1, k, out, in)."""
    return {
        "conv2d_transpose/kernel": layer.weight.unsqueeze(0),
        "conv2d_transpose/bias": layer.bias,
    }


def view_batch_norm(layer: nn.BatchNorm1d) -> dict[str, Tensor]:
    """Return a batch norm's tensors in TensorFlow's layout; without averages if it keeps none."""
    tensors = {
        "gamma": layer.weight,
        "beta": layer.bias,
        "moving_mean": layer.running_mean,
        "moving_variance": layer.running_var,
    }
    return {f"batch_normalization/{name}": t for name, t in tensors.items() if t is not None}


def view_as_tensorflow(layer: nn.Module) -> dict[str, Tensor]:
    """Return views of a layer's tensors, in TensorFlow's layouts and names within a scope."""
    match layer:
        case nn.Linear():
            return view_dense(layer)
        case nn.Conv1d():
            return view_conv1d(layer)
        case UpConv():
            return view_conv2d_transpose(layer)
        case nn.BatchNorm1d():
            return view_batch_norm(layer)
        case _:  # an Identity in the place of a norm
            return {}


def is_optimiser_state(name: str) -> bool:
    """Return whether a tensor belongs to the optimisers or counts the training steps."""
    counters = ("global_step", "beta1_power", "beta2_power")
    return name.startswith(counters) or "/Adam" in name or "/RMSProp" in name


def load_tensorflow(
    scopes: Mapping[str, list[nn.Module]],
    state_dict: Mapping[str, Tensor],
    training_only: Callable[[str], bool],
) -> None:
    """Copy a TensorFlow checkpoint into layers, given by variable scope.

    The values are copied into views in TensorFlow's layouts, so that errors refer to tensors by
    their names and shapes in the checkpoint.

    Raises:
        PublishedWeightsError: a tensor is missing, surplus or misshapen.
    """
    views = nn.Module()
    for scope, layers in scopes.items():
        for layer in layers:
            for name, tensor in view_as_tensorflow(layer).items():
                views.register_buffer(f"{scope}/{name}:0", tensor.detach())
    load_published(views, state_dict, lambda name: name, training_only=training_only)
