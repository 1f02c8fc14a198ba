"""The main job measures what it has counted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.measuring.sensors.powercap_tree import PowercapTree, one_socket

Run = Callable[..., Ran]

NET = ("net.py:INSTANCE", "--input", "2,4")
TINY = ("flowavenet", "--set", "blocks=4", "--set", "channels=4", "--set", "flows=2")
TIME = ("--measure-time", "1s", "--threads", "1")
QUICK = (*TIME, "--no-memory")


@pytest.mark.usefixtures("unhurried")
def test_no_sensor_is_said_in_one_line_and_latency_and_memory_come(measuring: Run) -> None:
    result = measuring(*TINY, "--input-len", "2205", *TIME, "--format", "json")
    assert result.code == 0
    report = json.loads(result.out)
    measurement = report["measurement"]
    assert measurement["energy_j"] is None
    assert measurement["power_w"] is None
    notes = report["phases"][0]["measurement"]["notes"]
    assert "no-sensor" in [note["code"] for note in notes]
    assert measurement["latency_s"]["value"] > 0
    assert measurement["latency_s"]["kind"] == "measured"
    assert measurement["memory"]["peak_rss_b"]["value"] > 1e7
    assert measurement["memory"]["allocator_peak_b"]["value"] > 4 * 2205
    factor = measurement["real_time_factor"]["value"]
    seconds = report["audio"]["seconds"]
    assert factor == pytest.approx(measurement["latency_s"]["value"] / seconds)
    provenance = report["provenance"]
    assert (provenance["threads"], provenance["device"], provenance["dtype"]) == (
        *(1, "cpu"),
        "float32",
    )
    assert {"cpu", "governor", "clocks_mhz", "temperature_c"} <= set(provenance)
    assert report["count"]["macs"] > 0


@pytest.mark.alone
def test_a_counter_gives_energy_and_the_report_names_it(
    measuring: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PowercapTree(tmp_path, one_socket(50.0)) as tree:
        monkeypatch.setenv("INSPECT_COST_POWERCAP_ROOT", str(tree.root))
        words = (*NET, "--measure-time", "12s", "--no-memory", "--battery", "15Wh")
        result = measuring(*words, "--require-energy", "--format", "json")
    assert result.code == 0, result.err
    report = json.loads(result.out)
    measurement = report["measurement"]
    assert measurement["power_w"]["value"] == pytest.approx(50, rel=0.02)
    energy = measurement["energy_j"]
    assert energy["ci95"][0] <= energy["value"] <= energy["ci95"][1]
    assert str(tree.root) in energy["source"]
    assert report["provenance"]["powercap_root"] == str(tree.root)
    assert measurement["derived"]["battery_continuous_h"]["value"] == pytest.approx(0.3, rel=0.02)


def test_a_required_sensor_that_is_missing_is_3_and_the_report_is_written(measuring: Run) -> None:
    result = measuring(*NET, *QUICK, "--require-energy")
    assert result.code == 3
    assert "Latency" in result.out
    assert "Energy" in result.out
    assert "no energy was measured" in result.err
    assert "doctor" in result.err


def test_an_estimate_stays_apart(measuring: Run) -> None:
    words = (*NET, *QUICK, "--estimate-energy", "--max-power", "100")
    result = measuring(*words, "--format", "json")
    measurement = json.loads(result.out)["measurement"]
    assert measurement["energy_j"] is None
    assert measurement["estimated_energy_j"]["kind"] == "estimated"
    assert "maximum power x utilisation x time" in measurement["estimated_energy_j"]["source"]
    assert "Energy, estimated" in measuring(*words).out


@pytest.mark.usefixtures("unhurried")
def test_backends_side_by_side(measuring: Run) -> None:
    result = measuring(*NET, *QUICK, "--backend", "eager,onnxruntime", "--format", "json")
    measurement = json.loads(result.out)["measurement"]
    assert [m["backend"] for m in measurement["backends"]] == ["eager", "onnxruntime"]
    assert measurement["backend"] == "eager"
    assert measurement["backends"][1]["max_relative_difference"] < 1e-5
    assert measurement["backends"][1]["latency_s"]["value"] > 0


def test_a_batch_is_counted_and_measured_alike(measuring: Run) -> None:
    words = (*NET, *QUICK, "--format", "json")
    one, four = (json.loads(measuring(*words, "--batch", n).out) for n in ("1", "4"))
    assert four["count"]["macs"] == 4 * one["count"]["macs"]
    measurement = four["measurement"]
    assert measurement["batch"] == 4
    rate = measurement["throughput_per_s"]["value"]
    assert rate == pytest.approx(4 / measurement["latency_s"]["value"])


def test_what_would_take_for_ever_is_not_begun(measuring: Run) -> None:
    settings = ("--set", "dim=8", "--set", "embedding_dim=4")
    result = measuring("samplernn-3tier", *settings, "--input-len", "1e9", *QUICK)
    assert result.code == 0
    assert "Not measured: too long: one call would take about" in result.out
    assert "at the rate of a pilot of 512 samples" in result.out


def test_what_cannot_be_measured_is_counted_all_the_same(measuring: Run) -> None:
    result = measuring("net.py:without_values", "--input", "2,4", *QUICK)
    assert result.code == 0
    assert "15" in result.out
    assert "Not measured: a model or an input on the meta device has no values" in result.out


MISTAKES = [
    ("--measure-time soon", "--measure-time 'soon'"),
    ("--measure-time 0s", "--measure-time '0s'"),
    ("--until-ci 200%", "--until-ci: '200%' is not a share"),
    ("--device tpu", "tpu cannot be measured"),
    ("--device cuda:77", "there is no device cuda:77"),
    ("--dtype int8", "int8 is not a floating-point type"),
    ("--threads 0", "--threads: 0 is below 1"),
    ("--batch 0", "--batch: 0 is below 1"),
    ("--batch -1", "--batch: -1 is below 1"),
    ("--seed -1", "--seed: -1 is below 0"),
    ("--max-power 0", "--max-power 0"),
    ("--max-power nan", "--max-power nan"),
    ("--max-power inf", "--max-power inf"),
    ("--grid-intensity 0", "--grid-intensity 0"),
    ("--grid-intensity nan", "--grid-intensity nan"),
    (f"--measure-time {'9' * 400}s", "is not a time above 0"),
    ("--measure-time nan", "--measure-time 'nan'"),
    (f"--battery {'9' * 400}Wh", "is not an amount of energy above 0"),
    ("--until-ci nan", "--until-ci: 'nan' is not a share"),
    ("--grid-intensity inf", "--grid-intensity inf"),
    ("--backend tvm", "there is no backend 'tvm'"),
    ("--battery large", "--battery 'large'"),
    ("--grid-intensity -1", "--grid-intensity -1"),
    ("--plot a.html", "latencies cannot be drawn as a.html"),
    ("--plot a.svg --no-measure", "--plot draws measured latencies"),
    ("--no-measure --require-energy", "--require-energy needs a measurement"),
]


@pytest.mark.parametrize(("words", "complaint"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistakes(measuring: Run, words: str, complaint: str) -> None:
    result = measuring("wavegan", *words.split())
    assert (result.code, result.out) == (2, "")
    assert complaint in result.err
    assert len(result.err.splitlines()) >= 2


TELLING = """
from pathlib import Path
import torch

class Net(torch.nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls == 2000:
            Path("measuring").touch()
        return x + 1
"""


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "telling.py").write_text(TELLING)
    command = [sys.executable, "-m", "inspect_cost", "telling.py:Net", "--input", "3"]
    endless = ("--until-ci", "0.0001%", "--measure-time", "10m", "--no-memory")
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [*command, *endless, "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as process:
        while not (tmp_path / "measuring").exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "interrupted: the report has what was measured" in err
    measurement = json.loads(out)["measurement"]
    assert measurement["partial"] is True
    assert measurement["latency_s"]["value"] > 0
    assert measurement["calls"] > 0
