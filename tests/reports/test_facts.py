"""Facts to rank by: of an inspection, and of files of them."""

from dataclasses import replace
from pathlib import Path

import pytest

from inspect_cost.counting.tally import Tally
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.memory.memory import Memory
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.reports.measured_facts import read_measured_energies, read_measured_power
from inspect_cost.values.cost import OpCost
from inspect_cost.values.errors import UsageError
from inspect_cost.values.identity import AUDIO, Identity, Output, Phase
from inspect_cost.values.quantity import Quantity
from tests.reports.small import COUNT, OUTPUT, make_inspection, write_inspection

ENERGY = Quantity(2.0, "J", "measured", "RAPL", (1.9, 2.1))
POWER = Quantity(61.0, "W", "measured", "RAPL", (60.0, 62.0))
MEMORY = Quantity(7, "B", "measured", "psutil")
MEASURED = Measurement(energy_j=ENERGY, power_w=POWER, memory=Memory(MEMORY), output=OUTPUT)


def test_facts_have_the_names_of_objectives() -> None:
    facts = make_inspection("net", MEASURED).facts("net.json")
    assert {name: quantity.value for name, quantity in facts.items()} == {
        "params": 10,
        "param_bytes": 40,
        "macs": 20,
        "macs_per_s": 40,
        "macs_per_output": 40,
        "flops": 45,
        "flops_per_s": 90,
        "flops_per_output": 90,
        "bytes_moved": 160,
        "bytes_per_output": 320,
        "energy_j": 2,
        "energy_j_per_s": 4,
        "energy_per_output_j": 4,
        "power_w": 61,
        "memory": 7,
    }
    assert facts["macs"] == Quantity(20, "", "counted", "net.json")
    assert facts["energy_j"] == ENERGY
    assert facts["energy_j_per_s"] == Quantity(4.0, "J", "measured", "RAPL", (3.8, 4.2))


def test_the_subject_is_the_source_of_what_is_counted() -> None:
    assert make_inspection("sing").facts()["macs"].source == "sing"


def test_lower_bounds_are_left_out() -> None:
    unknown = Tally("aten.svd", "", 1, OpCost(), 8, counted=False)
    incomplete = replace(COUNT, tallies=(*COUNT.tallies, unknown))
    facts = make_inspection(count=incomplete).facts()
    assert facts.keys() == {"params", "param_bytes"}


def test_the_memory_of_the_gpu_comes_first() -> None:
    on_gpu = replace(MEASURED, memory=Memory(MEMORY, cuda_peak_b=replace(MEMORY, value=5)))
    assert make_inspection("net", on_gpu).facts()["memory"].value == 5


def test_outputs_other_than_audio_have_no_rates_per_second() -> None:
    facts = make_inspection("net", MEASURED, output=Output(4, "token")).facts()
    assert facts["macs_per_output"].value == 5
    assert facts["energy_per_output_j"].value == 0.5
    assert not {"macs_per_s", "real_time_factor", "energy_j_per_s"} & facts.keys()


def test_phases_prefix_their_facts() -> None:
    phases = tuple(PhaseResult(Phase(name), COUNT) for name in ("prefill", "decode"))
    facts = Inspection(Identity("m", "M"), phases, {}).facts()
    assert facts["prefill.macs"] == facts["decode.macs"]
    assert "macs" not in facts


def write_energy(path: Path, name: str, joules: float | None) -> Path:
    energy = None if joules is None else replace(ENERGY, value=joules, ci95=None)
    output = Output(16_000, AUDIO, 16_000)
    return write_inspection(
        path, make_inspection(name, Measurement(energy_j=energy), output=output)
    )


def test_measured_energies_name_their_files(tmp_path: Path) -> None:
    energies_j = (("a", 2.0), ("b", None))
    paths = [write_energy(tmp_path / f"{name}.json", name, joules) for name, joules in energies_j]
    energies = read_measured_energies(paths)
    assert energies.keys() == {"a"}
    assert energies["a"] == Quantity(2, "J", "measured", f"RAPL, in {paths[0]}")


def test_two_reports_of_one_model(tmp_path: Path) -> None:
    paths = [write_energy(tmp_path / f"{number}.json", "net", 1) for number in range(2)]
    with pytest.raises(UsageError, match="net"):
        read_measured_energies(paths)


def test_measured_power(tmp_path: Path) -> None:
    path = write_inspection(tmp_path / "a.json", make_inspection("a", MEASURED))
    assert read_measured_power(path) == replace(POWER, source=f"RAPL, in {path}")


def test_no_power_where_nothing_was_measured(tmp_path: Path) -> None:
    path = write_inspection(tmp_path / "a.json", make_inspection())
    with pytest.raises(UsageError) as raised:
        read_measured_power(path)
    assert raised.value.field == "report"
