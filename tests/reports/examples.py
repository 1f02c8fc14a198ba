"""Results made by hand, with every field that a report can show and none that a machine decides."""

from inspect_cost.counting.explanation import CostExplanation, ExplainedCall, Formula, Operand
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage, Tally
from inspect_cost.crosschecking.results import (
    CrossCheck,
    Entry,
    Explanation,
    PeerCount,
    PeerResult,
)
from inspect_cost.measuring.doctor.doctor import Diagnosis
from inspect_cost.measuring.doctor.examination import Examination
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.memory.memory import Memory
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.measuring.sensors.protocol import Unavailable
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.values.cost import FlopWeights, OpCost
from inspect_cost.values.identity import AUDIO, Identity, Output, Phase
from inspect_cost.values.notes import Note
from inspect_cost.values.quantity import Kind, Quantity


def quantity(
    value: float, unit: str, source: str = "", kind: Kind = "measured", half: float = 0.0
) -> Quantity:
    ends = (value - half, value + half) if half else None
    return Quantity(value, unit, kind, source, ends)


WINDOW = Window(duration_s=1.0, calls=100, latencies_s=(0.0123,))
MEMORY = Memory(
    peak_rss_b=quantity(512_345_678, "B"),
    rss_increase_b=quantity(12_345_678, "B"),
    allocator_peak_b=quantity(9_876_543, "B"),
    cuda_peak_b=quantity(2_345_678_901, "B"),
)
CLOCK = (
    "The clock changed from 3.4 GHz to 2.1 GHz during the windows, which is more than a tenth of "
    "the first: what is measured is a mean of both."
)
#: With a sensor, an estimate beside it, a battery, a batch, and all of memory.
MEASUREMENT = Measurement(
    energy_j=quantity(1.2345, "J", "powercap intel-rapl:0 and nvml GPU 0", half=0.0345),
    energy_net_j=quantity(0.9876, "J", half=0.05),
    power_w=quantity(100.4, "W", half=2.8),
    power_net_w=quantity(80.25, "W"),
    idle_power_w=quantity(20.1, "W"),
    energy_by_domain_j={"package-0": quantity(1.2345, "J")},
    latency_s=quantity(0.01234, "s", half=0.00012),
    latency_quartiles_s=(0.01211, 0.01262),
    latency_p95_s=0.0137,
    sensors=("powercap intel-rapl:0", "nvml GPU 0"),
    memory=MEMORY,
    windows=(WINDOW, WINDOW),
    calls=1200,
    notes=(
        Note("redone", "1 of 3 windows was made again: another process took the CPU."),
        Note("clock", CLOCK, "warning"),
    ),
    backend="compile",
    device="cuda:0",
    dtype="float16",
    threads=8,
    output=Output(amount=16_160, unit=AUDIO, rate=16_000),
    batch=4,
    estimated_energy_j=quantity(3.21, "J", "TDP 65 W x utilisation x time", "estimated"),
    max_relative_difference=3.4e-7,
    derived={
        "kwh_per_million_calls": quantity(0.3429, "kWh"),
        "gco2e_per_million_calls": quantity(149.9, "gCO2e", "0.437 kgCO2e/kWh, world of 2018"),
        "battery_continuous_h": quantity(0.1493, "h"),
        "battery_real_time_h": quantity(12.4, "h"),
    },
)
#: Without a sensor, interrupted.
WITHOUT_SENSOR = Measurement(
    latency_s=quantity(2.5, "s"),
    windows=(WINDOW,),
    calls=1,
    notes=(
        Note(
            "no-sensor", "No energy: no sensor was found. inspect-cost doctor says what each lacks."
        ),
    ),
    partial=True,
    dtype="float32",
    estimated_energy_j=quantity(210.0, "J", "TDP 65 W x utilisation x time", "estimated"),
    derived={"kwh_per_million_calls": quantity(58.3, "kWh", kind="estimated")},
)

DIAGNOSIS = Diagnosis(
    sensors=(
        Examination(
            domain="package-0",
            source="powercap intel-rapl:0 at /sys/class/powercap/intel-rapl:0",
            device="cpu",
            range_j=262_143.3,
            stated_period_s=0.001,
            period_s=0.00102,
            resolution_j=6.1e-5,
            read_s=3.2e-6,
            idle_w=12.34,
            load_w=98.7,
            notes=("its counter advances in steps of 8 ms when idle",),
        ),
        Examination(
            domain="gpu-0",
            source="nvml",
            device="cuda:0",
            range_j=None,
            stated_period_s=0.1,
            fault="its counter did not move in 6 s",
        ),
    ),
    unavailable=(
        Unavailable("hwmon", "it may not be read", "Ask for sudo chmod a+r FILE.", "refused"),
        Unavailable("perf", "it may not be read", "Ask for sudo chmod a+r FILE.", "refused"),
        Unavailable("dram-0", "package-0 includes it", status="contained"),
        Unavailable("zeus", "it is not installed", "pip install inspect-cost[zeus]"),
    ),
    machine={
        "cpu": "Example CPU [8 cores]",
        "cpu_threads": 16,
        "memory_b": 16_000_000_000,
        "governor": None,
        "clocks_mhz": {"current": 2400.5, "max": 5000.0},
    },
    versions={"kernel": "6.1", "driver": None},
)
NO_SENSOR = Diagnosis((), DIAGNOSIS.unavailable[-1:], {"cpu": None}, {"kernel": "6.1"})

COUNT = CostReport(
    model="Net",
    modules=(
        ("", "Net", Storage(100, 400, 100, 2, 8, {"float32": 100})),
        ("a|b", "Linear", Storage(60, 240, 60, dtypes={"float32": 60})),
        ("a|b.`inner` <i>", "Tanh", Storage()),
        ("out", "Linear", Storage(40, 160, 40, dtypes={"float32": 40})),
    ),
    tallies=(
        Tally("aten.addmm", "a|b", 1, OpCost(macs=300, add=20), 1000, fixed_cost=OpCost(add=3)),
        Tally("aten.tanh", "a|b.`inner` <i>", 1, OpCost(special=20), 160),
        Tally("aten.addmm", "out", 2, OpCost(macs=80, add=4), 500),
        Tally("own.strange", "out", 3, OpCost(), 50, counted=False),
    ),
    notes=(Note("merged", "Two calls were merged."),),
    unread=(),
    peak_activation_bytes=1234,
    input_bytes=96,
)
AUDIBLE = Phase(
    description="generate 16,384 samples",
    output=Output(amount=16_384, unit=AUDIO, rate=16_000, requested=16_000),
)
INSPECTION = Inspection(
    identity=Identity("net", "Net [1]", "A paper", {"dim": 32}),
    phases=(
        PhaseResult(
            phase=AUDIBLE,
            count=COUNT,
            weights=FlopWeights(div=4),
            measurements=(MEASUREMENT, WITHOUT_SENSOR),
        ),
    ),
    provenance={},
)

CROSSCHECK = CrossCheck(
    report=COUNT,
    title="Net  forward of (2, 3)",
    peers=(
        PeerResult(
            name="fvcore",
            version="0.1.5",
            unit="MACs",
            count=PeerCount(
                404, (Entry("", "linear", 404, calls=1),), (Note("peer-calls", "It saw 1 call."),)
            ),
            difference=24,
            explanations=(
                Explanation("linear counts its bias", 20, ("a|b", "out")),
                Explanation("tanh counts as one", -6, ("", "a", "b", "c", "d")),
            ),
            unexplained=Explanation("no reason was found", 10, ("out",)),
            duration_s=1.5,
        ),
        PeerResult("thop", "0.1.1", "MACs", PeerCount(380, (Entry("", "x", 380),)), difference=0),
        PeerResult("ONNX", None, "MACs", failure="not installed: pip install onnx"),
    ),
)

#: A convolution that is called twice, and an operator without a rule.
EXPLANATION = CostExplanation(
    model="Net",
    path="encoder.conv",
    type="Conv1d",
    inputs=(Operand("input", (1, 2, 5), "float32"),),
    outputs=(Operand("", (1, 3, 5), "float32"),),
    policy="dense",
    calls=(
        ExplainedCall(
            operator="aten.conv1d",
            module="encoder.conv",
            times=2,
            operands=(Operand("input", (1, 2, 5), "float32"), Operand("weight", (3, 2, 3), "int8")),
            results=(Operand("", (1, 3, 5), "float32"),),
            cost=OpCost(macs=90),
            valid_cost=OpCost(macs=78),
            bytes_moved=172,
            formulas={
                "macs": Formula(
                    90, "out[0] * out[1] * out[2] * weight[1] * weight[2]", "1 * 3 * 5 * 2 * 3"
                )
            },
        ),
        ExplainedCall("own.scan", "encoder.conv", 1, (), (), None, None, 0, {}),
    ),
    valid_cost=OpCost(macs=156),
)
