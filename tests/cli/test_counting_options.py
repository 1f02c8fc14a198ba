"""Options that choose how the main command counts."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]

MODELS = """
import torch
from torch import nn
from torch.nn import functional as F

def padded():
    return nn.Conv1d(1, 1, 3, padding=1, bias=False)

class Causal(nn.Module):
    def forward(self, x):
        return F.scaled_dot_product_attention(x, x, x, is_causal=True)

class Odd(nn.Module):
    # Steps that no polynomial follows.
    def forward(self, x):
        for _ in range(int(x.shape[-1] ** 0.5)):
            x = x + x
        return x
"""


@pytest.fixture
def own(run: Run) -> Run:
    """The command line in a folder with these models."""
    with open("own.py", "w") as file:  # noqa: PTH123 - the folder of the run
        file.write(MODELS)
    return run


def counted(done: Ran) -> Any:
    assert done.code == 0, done.err
    return json.loads(done.out)


def test_policies(own: Run) -> None:
    words = ("own.py:padded", "--input", "1,1,8", "--format", "json")
    dense = counted(own(*words))["count"]
    valid = counted(own(*words, "--policy", "valid"))["count"]
    assert (dense["macs"], dense["policy"]) == (24, "dense")
    assert (valid["macs"], valid["policy"]) == (22, "valid")


def test_attention_apart_from_taps(own: Run) -> None:
    words = ("own.py:Causal", "--input", "1,4,2", "--format", "json")
    full = counted(own(*words, "--policy", "valid", "--attention", "full"))["count"]
    triangular = counted(own(*words, "--attention", "triangular"))["count"]
    assert (full["macs"], full["policy"]) == (64, "valid taps, full attention")
    assert (triangular["macs"], triangular["policy"]) == (40, "dense taps, triangular attention")


def test_weights_of_the_classes_give_a_further_total(own: Run) -> None:
    report = counted(
        own("torch.nn:Tanh", "--input", "1,8", "--flop-weights", "special=10", "--format", "json")
    )
    assert report["count"]["flops"] == 8
    assert report["weighted_flops"]["flops"] == 80
    assert report["weighted_flops"]["weights"]["special"] == 10
    table = own("torch.nn:Tanh", "--input", "1,8", "--flop-weights", "special=10").out
    assert "weighted" in table
    assert "with special = 10" in table


def test_a_law_in_the_report(own: Run) -> None:
    words = ("own.py:padded", "--input", "1,1,L", "--input-len", "100", "--law")
    assert "MACs(L)   = 3 L" in own(*words).out
    assert counted(own(*words, "--format", "json"))["law"]["macs"] == ["0", "3"]


def test_where_no_law_holds_the_report_says_so(own: Run) -> None:
    done = own("own.py:Odd", "--input", "1,L", "--input-len", "100", "--law", "--format", "json")
    report = counted(done)
    assert report["law"] is None
    assert report["count"]["flops"] == 1000
    assert report["phases"][0]["count"]["notes"][-1]["code"] == "no-law"


def test_a_training_step(own: Run) -> None:
    words = ("own.py:padded", "--input", "1,1,8", "--format", "json")
    step = counted(own(*words, "--backward"))
    assert step["count"]["macs"] == 48  # the input needs no gradient
    assert step["measurement"] is None
    assert step["phases"][0]["count"]["notes"][-1]["code"] == "training-step"


def test_a_step_of_an_optimizer(own: Run) -> None:
    words = ("own.py:padded", "--input", "1,1,8", "--backward", "--optimizer")
    step = counted(own(*words, "adamw", "--format", "json"))["count"]
    weights = 3
    assert step["macs"] == 48
    assert step["optimizer_state_bytes"] == 2 * 4 * weights + 4
    assert step["modules"][-1]["flops"] == 14 * weights + 1
    assert "(optimizer)" in own(*words, "muon").out


def test_a_preset_ends_with_where_it_stands(own: Run) -> None:
    table = own("wavegan").out
    assert "WaveGAN as published, beside" in table
    assert "kg CO2e (estimated)" in table
    standing = counted(own("wavegan", "--format", "json"))["standing"]
    assert standing["training"]["carbon_kgco2e"]["value"] == pytest.approx(10.488)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("wavegan --backward", "no gradients flow through that"),
        ("own.py:padded --input 1,1,8 --optimizer adam", "--backward"),
        ("own.py:padded --input 1,1,8 --backward --optimizer adma", "Did you mean adam"),
        ("wavegan --flop-weights exp=3", "'exp=3' is not CLASS=N"),
        ("wavegan --flop-weights special=1.5", "is not CLASS=N"),
        ("wavegan --policy sparse", "sparse"),
        ("own.py:padded --input 1,1,8 --law", "has a length to find a law in"),
    ],
)
def test_wrong_input(own: Run, words: str, message: str) -> None:
    done = own(*words.split())
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
