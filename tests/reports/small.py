"""Small reports, made by hand."""

from pathlib import Path

from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage, Tally
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.values.cost import OpCost
from inspect_cost.values.identity import AUDIO, Identity, Output, Phase

#: Half a second of audio.
OUTPUT = Output(amount=8_000, unit=AUDIO, rate=16_000)
#: 10 parameters, 20 MACs, 45 FLOPs.
COUNT = CostReport(
    model="Net",
    modules=(("", "Net", Storage(10, 40)),),
    tallies=(Tally("aten.addmm", "", 1, OpCost(macs=20, add=5), 160),),
)


def make_inspection(
    name: str = "net",
    *measurements: Measurement,
    count: CostReport = COUNT,
    output: Output | None = OUTPUT,
) -> Inspection:
    phase = PhaseResult(Phase(description="a call", output=output), count, None, None, measurements)
    return Inspection(Identity(name, "Net"), (phase,), provenance={"tool": "inspect-cost"})


def write_inspection(path: Path, inspection: Inspection) -> Path:
    inspection.save(path)
    return path
