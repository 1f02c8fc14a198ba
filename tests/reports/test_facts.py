"""Facts to rank by, from reports as data."""

import json
from pathlib import Path
from typing import Any

import pytest

from inspect_cost.reports.data import SCHEMA
from inspect_cost.reports.facts import facts_of_report, read_measured_energies
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Quantity


def report() -> dict[str, Any]:
    energy = {"value": 2.0, "unit": "J", "kind": "measured", "source": "RAPL", "ci95": [1.9, 2.1]}
    memory = {"value": 7, "unit": "B", "kind": "measured", "source": "psutil", "ci95": None}
    return {
        "schema": "inspect-cost/report/1",
        "model": {"name": "net"},
        "count": {"params": 10, "macs": 20, "flops": 45, "uncounted": {}},
        "audio": {"macs_per_second": 40.0, "flops_per_second": 90.0},
        "measurement": {
            "energy_j": energy,
            "energy_per_audio_second_j": energy,
            "latency_s": None,
            "memory": {"cuda_peak_b": None, "peak_rss_b": memory},
        },
    }


def test_facts_have_the_names_of_objectives() -> None:
    facts = facts_of_report(report(), "net.json")
    assert {name: quantity.value for name, quantity in facts.items()} == {
        "params": 10,
        "macs": 20,
        "macs_per_s": 40,
        "flops": 45,
        "flops_per_s": 90,
        "energy_j": 2,
        "energy_j_per_s": 2,
        "memory": 7,
    }
    assert facts["macs"] == Quantity(20, "", "counted", "net.json")
    assert facts["energy_j"] == Quantity(2, "J", "measured", "RAPL", (1.9, 2.1))


def test_lower_bounds_are_left_out() -> None:
    incomplete = report()
    incomplete["count"]["uncounted"] = {"aten.svd": 1}
    facts = facts_of_report(incomplete, "net.json")
    assert "params" in facts
    assert not {"macs", "macs_per_s", "flops", "flops_per_s"} & facts.keys()


def test_the_memory_of_the_gpu_comes_first() -> None:
    on_gpu = report()
    memory = on_gpu["measurement"]["memory"]
    memory["cuda_peak_b"] = {**memory["peak_rss_b"], "value": 5}
    assert facts_of_report(on_gpu, "net.json")["memory"].value == 5


def energy_report(path: Path, name: str, joules: float | None) -> Path:
    energy = joules and {"value": joules, "unit": "J", "kind": "measured", "source": "RAPL"}
    measurement = {"energy_per_audio_second_j": energy}
    content = {"schema": SCHEMA, "model": {"name": name}, "measurement": measurement}
    path.write_text(json.dumps(content))
    return path


def test_measured_energies_name_their_files(tmp_path: Path) -> None:
    paths = [
        energy_report(tmp_path / f"{name}.json", name, j) for name, j in (("a", 2), ("b", None))
    ]
    energies = read_measured_energies(paths)
    assert energies.keys() == {"a"}
    assert energies["a"] == Quantity(2, "J", "measured", f"RAPL, in {paths[0]}")


def test_two_reports_of_one_model(tmp_path: Path) -> None:
    paths = [energy_report(tmp_path / f"{number}.json", "net", 1) for number in range(2)]
    with pytest.raises(UsageError, match="net"):
        read_measured_energies(paths)
