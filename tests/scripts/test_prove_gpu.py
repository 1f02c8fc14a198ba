"""The proof on a GPU: its logic, tried on the CPU, and what it does not take for a proof."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.gpu_parts import SAMPLES, make_call
from scripts.prove_gpu import list_shortcomings

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("timeout")), reason="needs bash and timeout"
)


def prove(
    folder: Path, *words: str, python: str = sys.executable, **variables: str
) -> tuple[subprocess.CompletedProcess[str], Any]:
    """Run the script in this environment, and read what it wrote."""
    given = ["--python", python] if python else []
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(  # noqa: S603 - our own script
        ["bash", "scripts/prove_gpu.sh", *given, *words, str(folder)],  # noqa: S607
        cwd=ROOT,
        env=surroundings | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    written = folder / "proof.json"
    return done, json.loads(written.read_text()) if written.exists() else None


def test_all_parts_are_done_on_the_cpu_too(tmp_path: Path) -> None:
    done, proof = prove(tmp_path / "out", "--device", "cpu", "--quick", PROVE_GPU_TOTAL_S="900")
    assert done.returncode == 0, done.stdout + done.stderr
    assert proof["passed"] is True
    assert proof["shortcomings"] == []
    assert {part["status"] for part in proof["parts"].values()} == {"done"}
    results = {name: part["result"] for name, part in proof["parts"].items()}
    assert results["counts"]["resnet50"]["cpu"]["macs"] == 4_089_184_256  # as of torchvision
    assert set(results["measurements"]) == {
        f"{name} {dtype}" for name in ("wavegan", "resnet50") for dtype in ("float32", "bfloat16")
    }
    assert all(m["latency_s"]["value"] > 0 for m in results["measurements"].values())


def test_what_is_cut_off_is_said_and_the_rest_is_kept(tmp_path: Path) -> None:
    done, proof = prove(tmp_path, "--device", "cpu", "--quick", PROVE_GPU_TOTAL_S="0")
    assert done.returncode == 1
    assert proof["passed"] is False
    assert proof["parts"]["machine"]["status"] == "skipped"


def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 - only to ask for a GPU

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done, proof = prove(tmp_path, PROVE_GPU_TOTAL_S="300")
    assert done.returncode == 1
    assert proof["parts"]["machine"]["status"] == "failed"
    assert "no CUDA device" in " ".join(proof["parts"]["machine"]["log"])
    assert "measurements: did not begin" in proof["shortcomings"]


def test_an_installation_that_fails_is_told(tmp_path: Path) -> None:
    done, proof = prove(tmp_path, "--device", "cpu", python="", PYTHONPATH="", PIP_NO_INDEX="1")
    assert done.returncode == 1
    assert proof["parts"]["install"]["status"] == "failed"
    assert "machine: did not begin" in proof["shortcomings"]


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    done, proof = prove(tmp_path, "--fast")
    assert (done.returncode, proof) == (2, None)
    assert "--fast" in done.stderr


NAMES = ("latency_s", "energy_j", "energy_net_j", "power_w", "allocated_peak_b")
FIGURES = dict.fromkeys(NAMES, 1.0)


def part(status: str = "done", *log: str, **result: Any) -> dict[str, Any]:
    """A part as it is described."""
    return {"status": status, "seconds": 1, "result": result, "log": list(log)}


def whole(**others: Any) -> dict[str, Any]:
    """A proof, but for the parts given."""
    parts = {
        "machine": part(),
        "counts": part(wavegan={"equal": True}),
        "doctor": part(),
        "measurements": part(wavegan=FIGURES),
        "tests": part("done", "2 passed, 61 deselected in 30 s"),
    }
    return {**parts, **others}


@pytest.mark.parametrize(
    ("others", "missing"),
    [
        ({}, None),
        ({"counts": part(wavegan={"equal": False})}, "wavegan: counts differ"),
        ({"doctor": part("cut-off")}, "doctor: cut-off"),
        ({"tests": part("done", "2 skipped in 1 s")}, "tests: none ran"),
        (
            {"measurements": part(sing={**FIGURES, "energy_net_j": None, "notes": ["No energy."]})},
            "sing: no energy_net_j (No energy.)",
        ),
        (
            {"measurements": part(sing={"error": "ValueError: no"})},
            f"sing: no {', '.join(NAMES)} (ValueError: no)",
        ),
    ],
)
def test_what_is_missing_for_a_proof(others: dict[str, Any], missing: str | None) -> None:
    assert list_shortcomings(whole(**others), "cuda") == ([missing] if missing else [])


def test_a_part_that_did_not_begin_is_missing() -> None:
    parts = whole()
    del parts["doctor"]
    assert list_shortcomings(parts, "cuda") == ["doctor: did not begin"]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_model_of_the_zoo_has_a_call(name: str) -> None:
    call = make_call(name)
    assert call.module is not None
    assert call.method == "generate"
