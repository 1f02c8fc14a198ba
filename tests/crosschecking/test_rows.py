"""Peers that fail, die or hang are rows; the caller's model is not touched."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it has no stubs
import pytest
import torch
from torch import nn

from inspect_cost import Call, CountError, CrossCheck, crosscheck
from inspect_cost.counting.tally import Tally
from inspect_cost.crosschecking import run as runs
from inspect_cost.crosschecking.comparison import compare, settle
from inspect_cost.crosschecking.explanation import explain
from inspect_cost.crosschecking.isolation import run_isolated
from inspect_cost.crosschecking.peers import PEERS
from inspect_cost.crosschecking.results import Entry, PeerCount
from inspect_cost.reports import render
from inspect_cost.values.errors import UsageError
from tests.cli.conftest import Ran
from tests.crosschecking.models import Faulty, Trapped

FVCORE = PEERS[0]


@pytest.mark.parametrize(
    ("trap", "failure"),
    [
        ("raise", "ZeroDivisionError: on purpose"),
        ("die", "its process was ended by SIGABRT"),
    ],
)
def test_a_peer_that_fails_is_a_row(trap: str, failure: str) -> None:
    check = crosscheck(Trapped(trap), torch.rand(2, 4))
    row = check.by_peer["fvcore"]
    assert (row.failure, row.count, row.difference) == (failure, None, None)
    assert check.by_peer["thop"].difference == 0
    assert check.by_peer["FlopCounterMode"].difference == 0
    assert check.unexplained == {}


def test_a_peer_that_hangs_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PEERS", (FVCORE,))  # the others are to have all the time they need
    (row,) = crosscheck(Trapped("hang"), torch.rand(2, 4), timeout_s=2).peers
    assert (row.failure, row.count) == ("took longer than 2 s", None)


def test_a_process_out_of_time_is_ended() -> None:
    before = set(psutil.Process().children())
    start = time.perf_counter()
    with pytest.raises(CountError, match=r"took longer than 0\.2 s"):
        run_isolated(lambda: time.sleep(60), 0.2)
    assert time.perf_counter() - start < 30
    assert set(psutil.Process().children()) == before


def test_a_peer_that_is_not_installed_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "PEERS", (replace(FVCORE, distribution="no-such-counter"),))
    (row,) = crosscheck(nn.Linear(3, 4), torch.rand(2, 3)).peers
    assert row.failure == "not installed: pip install no-such-counter"


def test_weights_that_do_not_fit_are_not_made() -> None:
    vast = nn.Sequential(nn.Conv1d(2**21, 2**21, 1, device="meta"))  # fvcore needs values here
    row = crosscheck(vast, torch.empty(1, 2**21, 1, device="meta")).by_peer["fvcore"]
    assert row.failure == "it needs values, and they would take 17.59 TB of memory"


def test_the_model_is_not_touched() -> None:
    model, x = Faulty().train(), torch.rand(2, 4, 10)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    attributes = [sorted(vars(module)) for module in model.modules()]
    crosscheck(model, x)
    assert model.state_dict().keys() == before.keys()
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert [sorted(vars(module)) for module in model.modules()] == attributes
    assert not any(module._forward_hooks for module in model.modules())  # noqa: SLF001


def test_what_has_no_reason_is_shown_with_its_amount() -> None:
    model = nn.Linear(3, 4)
    report = crosscheck(model, torch.rand(2, 3)).report
    theirs = PeerCount(124, (Entry("", "linear", 124, calls=1),))
    parts, rest = explain(compare(report, theirs, FVCORE), FVCORE, model)
    assert [part.macs for part in parts] == []
    assert rest is not None
    assert (rest.macs, rest.modules) == (100, ("",))


def test_the_same_work_elsewhere_or_by_another_name_is_no_difference() -> None:
    report = crosscheck(nn.Sequential(nn.Linear(3, 4)), torch.rand(2, 3)).report
    (tally,) = [t for t in report.tallies if t.cost.macs]
    moved = PeerCount(24, (Entry("", "matmul", 24, calls=1),))
    gaps = compare(report, moved, FVCORE)
    settle(gaps)
    assert {gap.macs for gap in gaps.values()} == {0}
    renamed = replace(report, tallies=(with_operator(tally, "aten.scaled_dot_product_attention"),))
    gaps = compare(renamed, PeerCount(24, (Entry("0", "bmm", 24, calls=2),)), FVCORE)
    settle(gaps)
    assert {gap.macs for gap in gaps.values()} == {0}


def with_operator(tally: Tally, name: str) -> Tally:
    return replace(tally, operator=name)


@pytest.fixture(scope="module")
def check() -> CrossCheck:
    return crosscheck(Faulty(), torch.rand(2, 4, 10))


def test_the_table(check: CrossCheck) -> None:
    text = render(check)
    assert all(len(line) <= 100 for line in text.splitlines())
    assert f"{check.report.macs:,}" in text
    assert "FLOPs, 2 a MAC" in text
    assert "transposed convolution x2 (stride 2), in up" in text
    assert "unexplained" not in text


def test_the_json_holds_everything(check: CrossCheck) -> None:
    data = json.loads(render(check, "json"))
    assert data["schema"] == "inspect-cost/crosscheck/1"
    assert data["ours"]["macs"] == check.report.macs
    assert [peer["name"] for peer in data["peers"]] == ["fvcore", "thop", "FlopCounterMode", "ONNX"]
    for peer in data["peers"]:
        if peer["status"] == "counted":
            parts = sum(part["macs"] for part in peer["explanations"])
            assert parts + peer["unexplained_macs"] == peer["difference_macs"]
            assert peer["macs"] - data["ours"]["macs"] == peer["difference_macs"]


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        crosscheck(3)  # type: ignore[arg-type]
    with pytest.raises(UsageError) as error:
        crosscheck(nn.ReLU(), torch.rand(2), timeout_s=-1)
    assert error.value.field == "timeout_s"


def test_a_function_is_checked_with_the_modules_that_it_refers_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        runs, "PEERS", [p for p in PEERS if p.name in {"fvcore", "FlopCounterMode"}]
    )
    front, back = nn.Linear(3, 4), nn.Linear(4, 2)
    check = crosscheck(lambda x: back(front(x)), torch.rand(5, 3))
    assert check.report.macs == 5 * (3 * 4 + 4 * 2)
    assert [result.difference for result in check.peers] == [0, 0]
    assert check.peers[0].count is not None
    assert {entry.module for entry in check.peers[0].count.entries} == {"front", "back"}


class Patient(nn.Module):
    """Has a parameter of the name of an option."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor, timeout_s: int = 1) -> torch.Tensor:
        for _ in range(timeout_s):
            y: torch.Tensor = self.linear(x)
        return y


def test_an_option_that_is_a_parameter_too_is_not_guessed_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "PEERS", ())
    model, x = Patient(), torch.rand(2, 3)
    with pytest.raises(UsageError) as error:
        crosscheck(model, x, timeout_s=3)
    assert error.value.field == "timeout_s"
    assert crosscheck(Call.of(model, x, timeout_s=3), timeout_s=5).report.macs == 3 * 2 * 3 * 4
    with pytest.raises(UsageError, match="arguments already"):
        crosscheck(Call.of(model, x), x)


def test_a_cross_check_is_one_line(check: CrossCheck) -> None:
    text = repr(check)
    assert "\n" not in text
    assert len(text) < 200
    assert all(peer.name in text for peer in check.peers)


Run = Callable[..., Ran]


def test_the_command(run: Run) -> None:
    result = run("crosscheck", "net.py:Net", "--input", "1,L:int64", "--input-len", "5")
    assert result.code == 0
    assert result.out.startswith("Net  forward of (1, L) int64, L = 5")
    assert "aten::lstm counted 0" in result.out


def test_the_command_on_a_preset(run: Run, tmp_path: Path) -> None:
    words = ("crosscheck", "wavegan", "--set", "dim=4", "--input-len", "16384", "--timeout", "60")
    result = run(*words, "--format", "json", "-o", "check.json")
    assert (result.code, result.out) == (0, "")
    data = json.loads((tmp_path / "check.json").read_text())
    assert data["model"]["title"] == "WaveGAN  generate 16,384 samples"
    peers = {peer["name"]: peer for peer in data["peers"]}
    assert peers["FlopCounterMode"]["reported"] == 2 * data["ours"]["macs"]
    assert peers["thop"]["unexplained_macs"] == 0
    parts = peers["thop"]["explanations"]
    assert sum(part["macs"] for part in parts) == peers["thop"]["difference_macs"] < 0


def test_strict(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("crosscheck", "net.py:Net", "--input", "1,5:int64", "--strict")
    assert run(*words).code == 0
    monkeypatch.setattr("inspect_cost.crosschecking.explanation.RULES", ())
    strict = run(*words)
    assert strict.code == 1
    assert strict.err == "inspect-cost: unexplained under --strict: thop.\n"


@pytest.mark.parametrize(
    "words",
    [
        ("nothing",),
        ("net.py:Net",),
        ("net.py:Net", "--input", "1,5:int64", "--timeout", "0"),
        ("net.py:Net", "--input", "1,5:int64", "--set", "a=1"),
        ("wavegan", "--input", "1,5"),
    ],
)
def test_mistakes_are_told_in_a_sentence(run: Run, words: tuple[str, ...]) -> None:
    result = run("crosscheck", *words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("inspect-cost: ")
    assert "Traceback" not in result.err
