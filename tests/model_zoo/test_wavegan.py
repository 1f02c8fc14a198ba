"""WaveGAN against the outputs of the authors' code, and against a tap-by-tap computation."""

from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from model_zoo import wavegan
from model_zoo.published import PublishedWeightsError
from model_zoo.wavegan import (
    WaveGAN,
    WaveGANConfig,
    compute_same_padding,
    conv_transpose1d_by_products,
    convert_to_int16,
    multiply_few_steps,
    view_as_tensorflow,
)
from model_zoo.wavegan_training import WaveGANDiscriminator, shift_steps
from tests.model_zoo.fidelity import Fixture, access_parts, load_fixture, relative_error

NO_SHIFT = [0, 0, 0, 0]

FAMILIES = [
    WaveGANConfig(samples, dim=2, **changes)
    for samples in (16_384, 32_768, 65_536)
    for changes in (
        {},
        {"upsample": "nn"},
        {"batch_norm": True, "channels": 2},
        {"upsample": "nn", "batch_norm": True, "post_filter": 512},
        {"post_filter": 7, "latent_dim": 5, "kernel_size": 8},
    )
]


def label(config: WaveGANConfig) -> str:
    norm = "-norm" if config.batch_norm else ""
    post = f"-post{config.post_filter}" if config.post_filter else ""
    return f"{config.samples}-{config.upsample}{norm}{post}-{config.channels}ch"


# ------------------------------------------- the architecture a second time, tap by tap in float64


def published_shapes(config: WaveGANConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes in the authors' checkpoint, both halves."""
    layers, k, d = (5 if config.samples == 16_384 else 6), config.kernel_size, config.dim
    first = d * 2 ** (layers - 1)
    shapes = {
        "G/z_project/dense/kernel": (config.latent_dim, 16 * first),
        "G/z_project/dense/bias": (16 * first,),
        "D/output/dense/kernel": (16 * first, 1),
        "D/output/dense/bias": (1,),
    }
    norms = {"G/z_project": first}
    for i in range(layers):
        wide, narrow = first >> i, (first >> (i + 1) if i < layers - 1 else config.channels)
        if config.upsample == "nn":
            shapes[f"G/upconv_{i}/conv1d/kernel"] = (k, wide, narrow)
            shapes[f"G/upconv_{i}/conv1d/bias"] = (narrow,)
        else:
            shapes[f"G/upconv_{i}/conv2d_transpose/kernel"] = (1, k, narrow, wide)
            shapes[f"G/upconv_{i}/conv2d_transpose/bias"] = (narrow,)
        shapes[f"D/downconv_{i}/conv1d/kernel"] = (
            k,
            d << (i - 1) if i else config.channels,
            d << i,
        )
        shapes[f"D/downconv_{i}/conv1d/bias"] = (d << i,)
        if i < layers - 1:
            norms[f"G/upconv_{i}"] = narrow
            norms[f"D/downconv_{i + 1}"] = d << (i + 1)
    if config.batch_norm:
        for scope, width in norms.items():
            for name in ("gamma", "beta", "moving_mean", "moving_variance"):
                shapes[f"{scope}/batch_normalization/{name}"] = (width,)
    if config.post_filter:
        shapes["G/pp_filt/conv1d/kernel"] = (config.post_filter, 1, 1)
    return {f"{name}:0": shape for name, shape in shapes.items()}


def random_checkpoint(config: WaveGANConfig) -> dict[str, Tensor]:
    """Random weights with which signals keep their size from layer to layer."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for name, shape in published_shapes(config).items():
        noise = torch.randn(shape, generator=generator)
        if "kernel" in name:
            taps_per_step = shape[-3] / 4 if "transpose" in name else torch.Size(shape[:-2]).numel()
            inputs = shape[-1] if "transpose" in name else shape[-2]
            state[name] = noise * (3 / (taps_per_step * inputs)) ** 0.5
        else:
            state[name] = 0.2 * noise + (1 if "gamma" in name or "variance" in name else 0)
    return state


def naive_conv(x: Tensor, kernel: Tensor, stride: int = 1) -> Tensor:
    """TensorFlow's SAME convolution: (B, C, T), (k, C, O) -> (B, O, T / s)."""
    taps, steps = len(kernel), x.shape[2] // stride
    left = (taps - stride) // 2
    padded = torch.cat(
        (x.new_zeros(*x.shape[:2], left), x, x.new_zeros(*x.shape[:2], taps - stride - left)), dim=2
    )
    products = [
        torch.einsum("bct,co->bot", padded[..., j : j + stride * steps][..., ::stride], kernel[j])
        for j in range(taps)
    ]
    return torch.stack(products).sum(dim=0)


def naive_transposed_conv(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """TensorFlow's SAME transposed convolution: (B, C, T), (k, O, C) -> (B, O, s T)."""
    (batch, _, steps), (taps, out_channels, _) = x.shape, kernel.shape
    out = x.new_zeros(batch, out_channels, (steps - 1) * stride + taps)
    for j in range(taps):
        part = torch.einsum("bct,oc->bot", x, kernel[j])
        out[..., j : j + (steps - 1) * stride + 1 : stride] += part
    crop = (taps - stride) // 2
    return out[..., crop : crop + stride * steps]


def naive_norm(x: Tensor, state: dict[str, Tensor], scope: str) -> Tensor:
    if f"{scope}/batch_normalization/gamma:0" not in state:
        return x
    gamma, beta, mean, variance = (
        state[f"{scope}/batch_normalization/{name}:0"][:, None]
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    if scope.startswith("D/"):  # published with the statistics of the batch
        variance, mean = torch.var_mean(x, dim=(0, 2), correction=0)
        mean, variance = mean[:, None], variance[:, None]
    return (x - mean) / (variance + 1e-3).sqrt() * gamma + beta


def naive_generator(state: dict[str, Tensor], config: WaveGANConfig, z: Tensor) -> Tensor:
    state = {name: tensor.double() for name, tensor in state.items()}
    x = z.double() @ state["G/z_project/dense/kernel:0"] + state["G/z_project/dense/bias:0"]
    x = x.reshape(len(z), 16, -1).transpose(1, 2)
    x = naive_norm(x, state, "G/z_project").clamp(min=0)
    layers = 5 if config.samples == 16_384 else 6
    for i in range(layers):
        scope, stride = f"G/upconv_{i}", (2 if (i, config.samples) == (5, 32_768) else 4)
        if config.upsample == "nn":
            stretched = x[..., None].expand(*x.shape, stride).flatten(2)
            x = naive_conv(stretched, state[f"{scope}/conv1d/kernel:0"])
            x = x + state[f"{scope}/conv1d/bias:0"][:, None]
        else:
            x = naive_transposed_conv(x, state[f"{scope}/conv2d_transpose/kernel:0"][0], stride)
            x = x + state[f"{scope}/conv2d_transpose/bias:0"][:, None]
        if i < layers - 1:
            x = naive_norm(x, state, scope).clamp(min=0)
    audio = x.tanh()
    return naive_conv(audio, state["G/pp_filt/conv1d/kernel:0"]) if config.post_filter else audio


def naive_shift(x: Tensor, shift: int) -> Tensor:
    """Step t comes from step |t - shift|, counted back from the end where it would exceed it."""
    last = x.shape[2] - 1
    source = [abs(t - shift) for t in range(last + 1)]
    return x[..., [t if t <= last else 2 * last - t for t in source]]


def naive_discriminator(
    state: dict[str, Tensor], config: WaveGANConfig, x: Tensor, shifts: list[int]
) -> Tensor:
    state = {name: tensor.double() for name, tensor in state.items()}
    x = x.double()
    for i in range(5 if config.samples == 16_384 else 6):
        scope, stride = f"D/downconv_{i}", (2 if (i, config.samples) == (5, 32_768) else 4)
        x = naive_conv(x, state[f"{scope}/conv1d/kernel:0"], stride)
        x = naive_norm(x + state[f"{scope}/conv1d/bias:0"][:, None], state, scope)
        x = torch.maximum(0.2 * x, x)
        x = naive_shift(x, shifts[i]) if i < 4 else x
    flat = x.transpose(1, 2).reshape(len(x), -1)
    return (flat @ state["D/output/dense/kernel:0"] + state["D/output/dense/bias:0"])[:, 0]


# ---------------------------------------------------------------------------------------- fidelity


@pytest.fixture(scope="module")
def published() -> Fixture:
    fixture: Fixture = load_fixture("wavegan")["s16384"]
    return fixture


@pytest.fixture(scope="module")
def config(published: Fixture) -> WaveGANConfig:
    original = published["config"]
    return WaveGANConfig(original["slice_len"], original["dim"])


@pytest.fixture(scope="module")
def model(published: Fixture, config: WaveGANConfig) -> WaveGAN:
    return WaveGAN.from_published(published["state_dict_tf_names"], config)


def test_generates_the_published_audio(published: Fixture, model: WaveGAN) -> None:
    audio = model.generate(published["z"])
    assert audio.shape == (2, 1, 16_384)
    assert relative_error(audio.transpose(1, 2), published["G_z"]) < 2e-5


def test_generates_the_published_audio_before_the_filter(
    published: Fixture, model: WaveGAN
) -> None:
    audio = model.generate_unfiltered(published["z"])
    assert relative_error(audio.transpose(1, 2), published["G_pre_pp"]) < 2e-5


@pytest.fixture
def plain_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes transposed convolutions torch's own, as on other devices."""
    monkeypatch.setattr(wavegan, "prefers_products", lambda _x: False)


@pytest.mark.usefixtures("plain_form")
def test_plain_form_generates_the_published_audio(published: Fixture, model: WaveGAN) -> None:
    audio = model.generate(published["z"])
    assert relative_error(audio.transpose(1, 2), published["G_z"]) < 2e-5


def test_discriminator_judges_as_published(published: Fixture, config: WaveGANConfig) -> None:
    judge = WaveGANDiscriminator.from_published(published["state_dict_tf_names"], config)
    logits = judge(published["x"].transpose(1, 2), shifts=NO_SHIFT)
    assert relative_error(logits, published["D_x"]) < 2e-5


@pytest.mark.parametrize("config", FAMILIES, ids=label)
@pytest.mark.parametrize("batch", [1, 2])
def test_every_family_agrees_with_the_naive_computation(config: WaveGANConfig, batch: int) -> None:
    state = random_checkpoint(config)
    model = WaveGAN.from_published(state, config).double()
    z = model.draw(batch, torch.Generator().manual_seed(1))
    expected = naive_generator(state, config, z)
    assert expected.shape == (batch, config.channels, config.samples)
    assert expected.std(dim=2).min() > 0.02  # a silent model would agree with anything
    assert relative_error(model.generate(z), expected) < 1e-11


@pytest.mark.parametrize("config", [c for c in FAMILIES if c.upsample == "zeros"], ids=label)
def test_every_discriminator_agrees_with_the_naive_computation(config: WaveGANConfig) -> None:
    state = random_checkpoint(config)
    judge = WaveGANDiscriminator.from_published(state, config).double()
    x = torch.randn(2, config.channels, config.samples, dtype=torch.float64)
    for shifts in (NO_SHIFT, [2, -1, -2, 1]):
        expected = naive_discriminator(state, config, x, shifts)
        assert relative_error(judge(x, shifts), expected) < 1e-11
        assert relative_error(judge.eval()(x, shifts), expected) < 1e-11


# ------------------------------------------------------------------------------------- fast form


@pytest.mark.parametrize("steps", [1, 7, 90])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("taps", "stride"), [(25, 4), (25, 2), (24, 4), (4, 4), (5, 1)])
@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_products_make_a_transposed_convolution(
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
    batch: int,
    taps: int,
    stride: int,
    few: bool,
    training: bool,
) -> None:
    monkeypatch.setattr(wavegan, "has_few_steps", lambda _signal: few)
    generator = torch.Generator().manual_seed(0)
    x, weight = (
        torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=training)
        for shape in [(batch, 6, steps), (taps, 3, 6)]
    )
    plain = F.conv_transpose1d(x, weight.permute(2, 1, 0), stride=stride)
    with torch.set_grad_enabled(training):
        whole = conv_transpose1d_by_products(x, weight, stride)
    fast, rest = whole[..., : plain.shape[2]], whole[..., plain.shape[2] :]
    assert relative_error(fast, plain) < 1e-12
    assert not rest.any()
    if training:
        direction = torch.randn(plain.shape, generator=generator, dtype=torch.float64)
        gradients = torch.autograd.grad((fast * direction).sum(), (x, weight))
        expected = torch.autograd.grad((plain * direction).sum(), (x, weight))
        for gradient, reference in zip(gradients, expected, strict=True):
            assert relative_error(gradient, reference) < 1e-12


@pytest.mark.parametrize("samples", [16_384, 65_536])
@pytest.mark.parametrize("training", [True, False])
def test_cpu_and_meta_execute_the_same_multiplications(samples: int, training: bool) -> None:
    """Products run on the CPU, torch's own form on meta."""
    flops = set()
    for device in ("cpu", "meta"):
        with torch.device(device):
            model = WaveGAN(WaveGANConfig(samples, dim=2))
        with torch.set_grad_enabled(training), FlopCounterMode(display=False) as counter:
            model()
        flops.add(counter.get_total_flops())
    assert len(flops) == 1
    assert flops != {0}


@pytest.mark.skipif(torch.get_num_threads() == 1, reason="torch has another form for one thread")
@torch.no_grad()
def test_few_step_product_reads_the_weight_where_it_lies() -> None:
    signal, weight = torch.randn(16, 32), torch.randn(1_000, 32)
    with torch.autograd.profiler.profile(use_kineto=False, record_shapes=True) as profile:
        product = multiply_few_steps(signal, weight)
    copied = [e.input_shapes[0] for e in profile.function_events if e.name == "aten::copy_"]
    assert all(torch.Size(shape).numel() < weight.numel() for shape in copied)
    assert relative_error(product, signal @ weight.t()) < 2e-6


@torch.no_grad()
def test_exports_as_one_operator_per_layer() -> None:
    model = WaveGAN(WaveGANConfig(dim=1))
    program = torch.export.export(model, (model.draw(1),))
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert sum("conv_transpose1d" in name for name in called) == 5
    assert not any("addmm" in name or "conv2d" in name for name in called)


# ----------------------------------------------------------------------------------- generation


def test_generation_is_reproducible_and_batched() -> None:
    model = WaveGAN(WaveGANConfig(dim=2))

    def clips(seed: int) -> Tensor:
        return model.generate(batch=3, generator=torch.Generator().manual_seed(seed))

    assert clips(0).shape == (3, 1, 16_384)
    assert torch.equal(clips(0), clips(0))
    assert not torch.equal(clips(0), clips(1))


@pytest.mark.parametrize("upsample", ["zeros", "nn"])
def test_no_clips_are_a_batch_too(upsample: Literal["zeros", "nn"]) -> None:
    model = WaveGAN(WaveGANConfig(dim=1, upsample=upsample))
    assert model.generate(batch=0).shape == (0, 1, 16_384)


@pytest.mark.parametrize("config", FAMILIES[:5], ids=label)
def test_clips_of_a_batch_are_independent(config: WaveGANConfig) -> None:
    model = WaveGAN.from_published(random_checkpoint(config), config).double()
    z = model.draw(5, torch.Generator().manual_seed(0))
    together = model.generate(z)
    for alone, clip in zip(z, together, strict=True):
        assert relative_error(model.generate(alone[None])[0], clip) < 1e-11


def test_latent_vectors_are_uniform() -> None:
    z = WaveGAN(WaveGANConfig(dim=1)).draw(1_000, torch.Generator().manual_seed(0))
    assert z.shape == (1_000, 100)
    assert -1 <= z.min() < -0.999
    assert 0.999 < z.max() <= 1
    assert abs(z.mean().item()) < 0.01
    assert abs(z.var().item() - 1 / 3) < 0.01


def test_export_clips_and_rounds_towards_zero() -> None:
    audio = torch.tensor([-1.5, -1.0, -0.5, 0.5, 1.0, 1.5])
    expected = [-32_767, -32_767, -16_383, 16_383, 32_767, 32_767]
    assert convert_to_int16(audio).tolist() == expected
    assert convert_to_int16(audio).dtype == torch.int16


@pytest.mark.parametrize(
    ("taps", "stride", "padding"),
    [(25, 4, (10, 11)), (25, 2, (11, 12)), (25, 1, (12, 12)), (512, 1, (255, 256))],
)
def test_padding_is_tensorflows(taps: int, stride: int, padding: tuple[int, int]) -> None:
    assert compute_same_padding(taps, stride) == padding


def test_shifts_reflect_at_the_edge() -> None:
    x = torch.arange(6.0).reshape(1, 1, 6)
    assert shift_steps(x, 2).flatten().tolist() == [2, 1, 0, 1, 2, 3]
    assert shift_steps(x, -2).flatten().tolist() == [2, 3, 4, 5, 4, 3]
    assert torch.equal(shift_steps(x, 0), x)


def test_phase_shuffle_draws_every_shift_up_to_its_largest() -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        judge = WaveGANDiscriminator(WaveGANConfig(dim=1))
    drawn = [judge.draw_shifts(generator) for _ in range(50)]
    assert {len(shifts) for shifts in drawn} == {4}
    assert {shift for shifts in drawn for shift in shifts} == {-2, -1, 0, 1, 2}


def test_phase_shuffle_is_reproducible_and_can_be_off() -> None:
    config, x = WaveGANConfig(dim=1), torch.randn(2, 1, 16_384)
    state = random_checkpoint(config)
    judge = WaveGANDiscriminator.from_published(state, config)

    def judged(seed: int) -> Tensor:
        logits: Tensor = judge(x, generator=torch.Generator().manual_seed(seed))
        return logits

    assert torch.equal(judged(0), judged(0))
    assert not torch.equal(judged(0), judged(1))
    still = WaveGANDiscriminator.from_published(state, config, phase_shuffle=0)
    assert torch.equal(still(x), judge(x, shifts=NO_SHIFT))


# ---------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("changes", "generator", "discriminator"),
    [
        ({}, 19_065_345, 17_427_969),
        ({"upsample": "nn"}, 19_065_345, 17_427_969),
        ({"post_filter": 512}, 19_065_857, 17_427_969),
        ({"batch_norm": True}, 19_069_313, 17_431_809),
        ({"samples": 32_768}, 73_149_953, 69_875_201),
        ({"samples": 65_536}, 73_149_953, 69_875_201),
    ],
    ids=str,
)
def test_full_size_has_the_published_parameters(
    changes: dict[str, Any], generator: int, discriminator: int
) -> None:
    with torch.device("meta"):
        models = (WaveGAN(WaveGANConfig(**changes)), WaveGANDiscriminator(WaveGANConfig(**changes)))
    counts = tuple(sum(p.numel() for p in model.parameters()) for model in models)
    assert counts == (generator, discriminator)


@pytest.mark.parametrize(
    ("samples", "parts"),
    [
        (16_384, [1_654_784, 13_107_712, 3_277_056, 819_328, 204_864, 1_601]),
        (65_536, [3_309_568, 52_429_824, 13_107_712, 3_277_056, 819_328, 204_864, 1_601]),
    ],
)
def test_each_layer_has_the_published_parameters(samples: int, parts: list[int]) -> None:
    with torch.device("meta"):
        model = WaveGAN(WaveGANConfig(samples))
    layers = [model.project, *model.upconvs]
    assert [sum(p.numel() for p in layer.parameters()) for layer in layers] == parts


@pytest.mark.parametrize("samples", [16_384, 65_536])
@pytest.mark.parametrize("upsample", ["zeros", "nn"])
def test_full_size_has_the_published_names_and_shapes(
    samples: int, upsample: Literal["zeros", "nn"]
) -> None:
    config = WaveGANConfig(samples, upsample=upsample, batch_norm=True, post_filter=512)
    with torch.device("meta"):
        scopes = WaveGAN(config).list_tensorflow_scopes()
        scopes |= WaveGANDiscriminator(config).list_tensorflow_scopes()
    shapes = {
        f"{scope}/{name}:0": tuple(tensor.shape)
        for scope, layers in scopes.items()
        for layer in layers
        for name, tensor in view_as_tensorflow(layer).items()
    }
    expected = published_shapes(config)
    unused = {name for name in expected if name.startswith("D/") and "/moving_" in name}
    assert shapes == {name: shape for name, shape in expected.items() if name not in unused}


@pytest.mark.parametrize(
    ("changes", "macs"),
    [
        ({}, 847_052_800),
        ({"batch_norm": True}, 847_052_800),
        ({"samples": 32_768}, 4_223_795_200),
        ({"samples": 65_536}, 4_223_795_200),
        ({"post_filter": 512}, 847_052_800 + 8_388_608),
        ({"samples": 32_768, "post_filter": 512}, 4_223_795_200 + 16_777_216),
        ({"samples": 65_536, "post_filter": 512}, 4_223_795_200 + 33_554_432),
        ({"upsample": "nn"}, 3_383_296_000),
    ],
    ids=str,
)
@pytest.mark.parametrize("batch", [1, 3])
def test_full_size_costs_the_published_macs(changes: dict[str, Any], macs: int, batch: int) -> None:
    config = WaveGANConfig(**changes)
    with torch.device("meta"):
        model = WaveGAN(config)
        z = torch.empty(batch, 100)
    with FlopCounterMode(display=False) as counter:
        audio = model.generate(z)
    assert audio.shape == (batch, 1, config.samples)
    assert counter.get_total_flops() == 2 * batch * macs


@pytest.mark.parametrize("samples", [16_384, 32_768, 65_536])
def test_a_fresh_model_is_initialised_as_tensorflow_does(samples: int) -> None:
    model = WaveGAN(WaveGANConfig(samples, dim=4))
    for layer in (model.project, *model.upconvs):
        taps, fans = (1, 100 + 16 * model.config.widths[0])
        if layer is not model.project:
            taps, fans = 25, sum(layer.weight.shape[1:])
        bound = (6 / (taps * fans)) ** 0.5
        assert 0.9 * bound < layer.weight.abs().max().item() <= bound
        assert not layer.bias.any()


# --------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("sizes", "complaint"),
    [
        ({"samples": 16_000}, r"samples must be one of \(16384, 32768, 65536\); got 16000"),
        ({"upsample": "linear"}, "upsample .* got 'linear'"),
        ({"dim": 0}, "sizes must be positive"),
        ({"channels": 0}, "sizes must be positive"),
        ({"post_filter": -1}, "sizes must be positive"),
        ({"kernel_size": 3}, "cover the stride of 4; got 3"),
        ({"channels": 2, "post_filter": 512}, "one channel; got 2"),
    ],
    ids=str,
)
def test_refuses_impossible_sizes(sizes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        WaveGANConfig(**sizes)


def test_names_what_is_wrong_with_a_checkpoint(published: Fixture, config: WaveGANConfig) -> None:
    good = published["state_dict_tf_names"]
    models: tuple[Any, ...] = (WaveGAN, WaveGANDiscriminator)
    for model, name, wrong, complaint in [
        (
            models[0],
            "G/upconv_2/conv2d_transpose/kernel:0",
            torch.zeros(25, 4, 8),
            r"\(25, 4, 8\) instead of \(1, 25, 4, 8\)",
        ),
        (
            models[1],
            "D/downconv_1/conv1d/kernel:0",
            torch.zeros(4, 2, 25),
            r"\(4, 2, 25\) instead of \(25, 2, 4\)",
        ),
    ]:
        without = {key: value for key, value in good.items() if key != name}
        surplus = f"{name[0]}/extra:0"
        for state, message in [
            (without, f"lacks {name}"),
            (good | {surplus: torch.zeros(1)}, f"unexpected tensors: {surplus}"),
            (good | {name: wrong}, f"{name} {complaint}"),
        ]:
            with pytest.raises(PublishedWeightsError, match=message):
                model.from_published(state, config)


def test_leaves_out_what_only_training_needs(published: Fixture, config: WaveGANConfig) -> None:
    good = published["state_dict_tf_names"]
    kernel = "G/upconv_0/conv2d_transpose/kernel"
    optimisers = (
        "global_step",
        "beta1_power",
        "beta2_power_1",
        f"{kernel}/Adam",
        f"{kernel}/RMSProp",
    )
    state = good | {f"{name}:0": torch.zeros(1) for name in optimisers}
    model = WaveGAN.from_published(state, config)
    weight = access_parts(model).upconvs[0].weight
    assert torch.equal(weight, good[f"{kernel}:0"][0])
    judge = WaveGANDiscriminator.from_published(state, config)
    weight = access_parts(judge).convs[0].weight
    assert torch.equal(weight, good["D/downconv_0/conv1d/kernel:0"].permute(2, 1, 0))
    assert "G" not in {name[0] for name in judge.list_tensorflow_scopes()}


def test_a_model_keeps_its_weights_when_the_checkpoint_changes(
    published: Fixture, config: WaveGANConfig
) -> None:
    state = {name: tensor.clone() for name, tensor in published["state_dict_tf_names"].items()}
    model = WaveGAN.from_published(state, config)
    before = model.generate(published["z"])
    for tensor in state.values():
        tensor.zero_()
    assert torch.equal(model.generate(published["z"]), before)


def test_the_module_names_its_sample_rate() -> None:
    assert wavegan.SAMPLE_RATE == 16_000
