"""Generation without weights: tokens are fixed, and the longest course is counted."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inspect_cost import count
from inspect_cost.counting.torch import choices
from inspect_cost.values.errors import CountError
from inspect_cost.values.notes import codes

V, D, LENGTH = 11, 8, 5
PROMPT = torch.tensor([[1, 2, 4], [3, 2, 1]])


def pick_from_top(scores: Tensor) -> Tensor:
    best, tokens = scores.topk(4)
    return tokens.gather(-1, torch.multinomial(best.softmax(-1), 1))


def pick_above_threshold(scores: Tensor) -> Tensor:
    kept = scores.clone()
    kept[kept < scores.topk(4)[0][:, [-1]]] = -float("inf")
    return torch.multinomial(kept.softmax(-1), 1)


def pick_from_nucleus(scores: Tensor) -> Tensor:
    sorted_, tokens = scores.softmax(-1).sort(descending=True)
    sorted_[sorted_.cumsum(-1) - sorted_ > 0.9] = 0
    return tokens.gather(-1, torch.multinomial(sorted_ / sorted_.sum(-1, keepdim=True), 1))


#: How a token is chosen by its scores.
PICKS: dict[str, Callable[[Tensor], Tensor]] = {
    "argmax": lambda scores: scores.argmax(-1, keepdim=True),
    "max": lambda scores: scores.max(-1, keepdim=True)[1],
    "argmax of columns": lambda scores: scores.t().argmax(0)[:, None],
    "multinomial": lambda scores: torch.multinomial((scores / 0.8).softmax(-1), 1),
    "top k": pick_from_top,
    "threshold": pick_above_threshold,
    "top p": pick_from_nucleus,
    "argsort": lambda scores: scores.argsort(-1, descending=True)[:, :1],
    "gumbel": lambda scores: (scores - torch.rand_like(scores).log().neg().log()).argmax(-1)[
        :, None
    ],
    "categorical": lambda scores: torch.distributions.Categorical(logits=scores).sample()[:, None],
    "inverse": lambda scores: torch.searchsorted(
        scores.softmax(-1).cumsum(-1), torch.rand(len(scores), 1)
    ),
}

#: How the end is recognised.
ENDS: dict[str, Callable[[Tensor, int], bool]] = {
    "item": lambda token, end: token[0].item() == end,
    "list": lambda token, end: end in token.flatten().tolist(),
    "array": lambda token, end: bool((token.numpy() == end).any()),
    "all": lambda token, end: bool((token == end).all()),
    "isin": lambda token, end: bool(torch.isin(token, torch.tensor([end, V])).all()),
    "nonzero": lambda token, end: (token == end).nonzero().numel() > 0,
    "equal": lambda token, end: torch.equal(token, torch.full_like(token, end)),
}


class Speaker(nn.Module):
    """A recurrent network that goes on until it says ``end``, or for ``LENGTH`` tokens."""

    def __init__(
        self,
        pick: Callable[[Tensor], Tensor] = PICKS["argmax"],
        ends: Callable[[Tensor, int], bool] = ENDS["all"],
        end: int = -1,
        one_hot: bool = False,
    ) -> None:
        super().__init__()
        self.read: nn.Module = nn.Linear(V, D) if one_hot else nn.Embedding(V, D)
        self.cell, self.say = nn.GRU(D, D, batch_first=True), nn.Linear(D, V)
        self.pick, self.ends, self.end, self.one_hot = pick, ends, end, one_hot

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Tensor]:
        given = F.one_hot(tokens, V).float() if self.one_hot else tokens
        out, state = self.cell(self.read(given), state)
        return self.say(out[:, -1]), state

    def forward(self, tokens: Tensor, length: int | None = LENGTH) -> Tensor:
        scores, state = self.step(tokens, None)
        said: list[Tensor] = []
        while length is None or len(said) < length:
            token = self.pick(scores)
            said.append(token)
            if self.ends(token, self.end):
                break
            scores, state = self.step(token, state)
        return torch.cat(said, 1)

    generate = forward


def without_values(make: Callable[[], Any]) -> Any:
    with torch.device("meta"):
        return make().eval()


def longest(one_hot: bool) -> int:
    """Three tokens and `LENGTH` more are read, and one is said after all but two of them."""
    read = (3 + LENGTH) * (2 * 3 * D * D + (V * D if one_hot else 0))
    return len(PROMPT) * (read + (1 + LENGTH) * D * V)


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("pick", PICKS.values(), ids=PICKS)
def test_the_longest_course_is_counted_however_tokens_are_picked(
    pick: Callable[[Tensor], Tensor], one_hot: bool
) -> None:
    model = without_values(lambda: Speaker(pick, end=6, one_hot=one_hot))
    report = count(model, PROMPT)
    assert report.macs == longest(one_hot)
    assert report.complete
    assert codes(report.notes) == ("chosen-tokens",)


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
def test_the_end_may_be_recognised_in_many_ways(ends: Callable[[Tensor, int], bool]) -> None:
    model = without_values(lambda: Speaker(ends=ends, end=2))
    assert count(model, PROMPT).macs == longest(False)


@pytest.mark.parametrize("end", range(V))
@pytest.mark.parametrize("name", ["argmax", "top k", "top p"])
def test_any_token_may_be_the_end(name: str, end: int) -> None:
    model = without_values(lambda: Speaker(PICKS[name], ENDS["list"], end))
    assert count(model, PROMPT).macs == longest(False)


def test_with_weights_the_course_is_that_of_the_weights() -> None:
    model = Speaker(end=-1).eval()
    report = count(model, PROMPT)
    assert report.macs == longest(False)
    assert codes(report.notes)[0] == "real-run"


def test_a_course_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choices, "MOST_CHOICES", 20)
    with pytest.raises(CountError, match="20 choices"):
        count(without_values(Speaker), PROMPT, None)


def test_a_single_token_needs_no_reader() -> None:
    """Nothing runs after it, so nothing depends on it."""

    class First(Speaker):
        def forward(self, tokens: Tensor, _length: int | None = 1) -> Tensor:
            token = self.pick(self.step(tokens, None)[0])
            return token if token[0].item() != self.end else tokens

    report = count(without_values(First), PROMPT)
    assert report.macs == len(PROMPT) * (3 * 2 * 3 * D * D + D * V)


def test_literals_on_the_device_of_the_weights_keep_their_values() -> None:
    class Prompted(Speaker):
        def forward(self, tokens: Tensor, length: int | None = LENGTH) -> Tensor:
            start = torch.tensor([[1]] * len(tokens), device=self.say.weight.device)
            end = torch.as_tensor([self.end], device=self.say.weight.device)
            self.ends = lambda token, _end: bool(torch.cat([start, token]).eq(end).all())
            return super().forward(tokens, length)

    assert count(without_values(Prompted), PROMPT).macs == longest(False)


# --- what remains refused ---


class Experts(nn.Module):
    """Each row goes to the expert that its router chooses."""

    def __init__(self, send: Callable[[Tensor], list[Tensor]]) -> None:
        super().__init__()
        self.router, self.send = nn.Linear(D, 4), send
        self.experts = nn.ModuleList(nn.Linear(D, D) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        sent = self.send(self.router(x))
        parts = [expert(x[rows]) for expert, rows in zip(self.experts, sent, strict=True)]
        return torch.cat(parts)


def split_by_counts(scores: Tensor) -> list[Tensor]:
    expert = scores.argmax(-1)
    counts = expert.bincount(minlength=4).tolist()
    return list(expert.argsort().split(counts))


def cascade(scores: Tensor) -> list[Tensor]:
    first = scores.argmax(-1)[0].item()
    return [torch.arange(len(scores) if e == first else 0) for e in range(4)]


SENDERS: dict[str, Callable[[Tensor], list[Tensor]]] = {
    "where": lambda scores: [torch.where(scores.argmax(-1) == e)[0] for e in range(4)],
    "nonzero": lambda scores: [(scores.topk(2)[1] == e).any(-1).nonzero()[:, 0] for e in range(4)],
    "mask": lambda scores: [scores.argmax(-1) == e for e in range(4)],
    "counts": split_by_counts,
    "item": cascade,
    "numbers": lambda scores: [torch.arange(int(scores.sum().item() > 0))] * 4,
}


@pytest.mark.parametrize("send", SENDERS.values(), ids=SENDERS)
def test_routing_by_value_remains_refused(send: Callable[[Tensor], list[Tensor]]) -> None:
    x = torch.zeros(6, D)
    assert "real-run" in codes(count(Experts(send).eval(), x).notes)
    with pytest.raises(CountError) as raised:
        count(without_values(lambda: Experts(send)), x)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("send", SENDERS.values(), ids=SENDERS)
def test_a_speaker_of_experts_remains_refused(send: Callable[[Tensor], list[Tensor]]) -> None:
    class Routed(Speaker):
        def __init__(self) -> None:
            super().__init__()
            self.experts = Experts(send)

        def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Tensor]:
            scores, state = super().step(tokens, state)
            self.experts(state[0])
            return scores, state

    with pytest.raises(CountError):
        count(without_values(Routed), PROMPT)


def test_scores_of_tokens_do_not_end_a_course_unseen() -> None:
    class Careful(Speaker):
        def forward(self, tokens: Tensor, _length: int | None = LENGTH) -> Tensor:
            scores, state = self.step(tokens, None)
            for _ in range(LENGTH):
                if scores.logsumexp(-1).min().item() < 0:
                    break
                scores, state = self.step(self.pick(scores), state)
            return scores

    with pytest.raises(CountError):
        count(without_values(Careful), PROMPT)


# --- transformers ---

SMALL = {"vocab_size": 64, "pad_token_id": 0, "attn_implementation": "eager"}
DECODER = SMALL | {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
BOTH = SMALL | {
    "d_model": 16,
    **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 32 for side in ("encoder", "decoder")},
}
T5 = SMALL | {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
WHISPER = {
    "num_mel_bins": 8,
    "max_source_positions": 16,
    "bos_token_id": 1,
    "suppress_tokens": None,
}

#: Name -> class, settings, options of `generate`.
GENERATIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "Llama": ("LlamaForCausalLM", DECODER | {"eos_token_id": [39, 0]}, {}),
    "GPT-2": (
        "GPT2LMHeadModel",
        SMALL | {"n_embd": 16, "n_layer": 2, "n_head": 2, "eos_token_id": 63},
        {"do_sample": True, "top_k": 9, "top_p": 0.9, "temperature": 0.7},
    ),
    "Llama beams": ("LlamaForCausalLM", DECODER | {"eos_token_id": 0}, {"num_beams": 2}),
    "Llama sampled beams": (
        "LlamaForCausalLM",
        DECODER | {"eos_token_id": 0},
        {"num_beams": 2, "do_sample": True},
    ),
    "Llama static": (
        "LlamaForCausalLM",
        DECODER | {"eos_token_id": 1},
        {"cache_implementation": "static", "min_new_tokens": 2},
    ),
    "Llama uncached": ("LlamaForCausalLM", DECODER | {"eos_token_id": 1}, {"use_cache": False}),
    "Mixtral": (
        "MixtralForCausalLM",
        DECODER | {"hidden_size": 32, "num_key_value_heads": 2, "num_local_experts": 4},
        {},
    ),
    "T5": ("T5ForConditionalGeneration", T5 | {"decoder_start_token_id": 0, "eos_token_id": 1}, {}),
    "BART": (
        "BartForConditionalGeneration",
        BOTH | {"decoder_start_token_id": 2, "eos_token_id": 2, "forced_eos_token_id": 2},
        {"num_beams": 3, "early_stopping": True},
    ),
    "Marian": (
        "MarianMTModel",
        BOTH | {"decoder_start_token_id": 0, "eos_token_id": 0, "forced_eos_token_id": 0},
        {},
    ),
    "Whisper": (
        "WhisperForConditionalGeneration",
        BOTH | WHISPER | {"eos_token_id": 2, "decoder_start_token_id": 1},
        {},
    ),
}


@pytest.mark.parametrize("name", GENERATIONS)
@pytest.mark.filterwarnings("ignore")
def test_generate_without_weights_counts_what_torch_counts_with_weights(name: str) -> None:
    transformers = pytest.importorskip("transformers")
    from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415 - slow to import

    kind, settings, options = GENERATIONS[name]
    given: dict[str, Any] = {"input_ids": torch.arange(3, 13).reshape(2, 5)}
    if name == "Whisper":
        given = {"input_features": torch.zeros(2, 8, 32)}
    options = options | {"max_new_tokens": 4}

    def make() -> Any:
        model = getattr(transformers, kind)
        return model(model.config_class(**settings)).eval()

    report = count(without_values(make).generate, **given, **options)
    assert codes(report.notes) == ("chosen-tokens",)
    assert report.complete
    real, longest_options = make(), options | {"min_new_tokens": 4}
    if name == "Mixtral":  # torch's counter does not know grouped products
        assert report.macs == count(real.generate, **given, **longest_options).macs
        return
    with torch.no_grad(), FlopCounterMode(display=False) as peer:
        real.generate(**given, **longest_options)
    assert report.macs == peer.get_total_flops() // 2
