"""Random results, for properties of all of them."""

from typing import TypeVar

from hypothesis import strategies as st

from inspect_cost.carbon.estimate import CarbonEstimate, Power
from inspect_cost.carbon.estimate import Phase as TrainingPhase
from inspect_cost.counting.law import NOTHING, CostLaw, _tallies_at_start
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage, Tally
from inspect_cost.counting.waste import UnreadParameter
from inspect_cost.crosschecking.results import (
    CrossCheck,
    Entry,
    Explanation,
    PeerCount,
    PeerResult,
)
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.memory.memory import Memory
from inspect_cost.measuring.protocol.window import Window
from inspect_cost.paper.places import Place, Standing
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.values.bounds import Bounds
from inspect_cost.values.cost import FlopWeights, OpCost
from inspect_cost.values.identity import AUDIO, Identity, Output, Phase
from inspect_cost.values.notes import Note
from inspect_cost.values.quantity import Quantity

T = TypeVar("T")

PATHS = ("", "a", "a.b", "a.b.0", 'odd "name" {[')
NAMES = st.sampled_from(("aten.mm", "own.f", "é")) | st.text(max_size=4)
TEXTS = st.text(max_size=6)
NATURALS = st.integers(0, 2**70)
WHOLES = st.integers(-(2**70), 2**70)
NUMBERS = st.floats(1e-9, 1e9) | st.integers(1, 10**9)
FLAGS = st.booleans()


def several(items: st.SearchStrategy[T], most: int = 3) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(items, max_size=most).map(tuple)


def maybe(items: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | items


notes = st.builds(Note, NAMES, TEXTS, st.sampled_from(("info", "warning")))
intervals = st.tuples(NUMBERS, NUMBERS)
quantities = st.builds(
    Quantity,
    value=NUMBERS,
    unit=TEXTS,
    kind=st.sampled_from(("counted", "measured", "estimated", "reported")),
    source=TEXTS,
    ci95=maybe(intervals),
)
by_domain = st.dictionaries(TEXTS, NUMBERS, max_size=2)
outputs = st.builds(
    Output,
    amount=st.integers(1, 10**9),
    unit=st.sampled_from((AUDIO, "token")),
    rate=NUMBERS,
    requested=maybe(NATURALS),
)

costs = st.just(OpCost()) | st.builds(OpCost, *[NATURALS] * 7)
tallies = st.builds(
    Tally,
    operator=NAMES,
    module=st.sampled_from(PATHS),
    calls=NATURALS,
    cost=costs,
    bytes_moved=NATURALS,
    counted=FLAGS,
    dead_calls=NATURALS,
    dead_cost=costs,
    fixed_cost=costs,
)
storages = st.builds(
    Storage,
    params=NATURALS,
    param_bytes=NATURALS,
    trainable=NATURALS,
    buffers=NATURALS,
    buffer_bytes=NATURALS,
    dtypes=st.dictionaries(TEXTS, NATURALS, max_size=2),
    weight_norm_lengths=NATURALS,
)
unread = st.builds(
    UnreadParameter,
    names=st.lists(st.sampled_from(("a.w", "w", "a.b.w")), min_size=1, max_size=2).map(tuple),
    elements=NATURALS,
    bytes=NATURALS,
    touched=FLAGS,
)
counts = st.builds(
    CostReport,
    model=TEXTS,
    modules=st.tuples(*(st.tuples(st.just(path), TEXTS, storages) for path in PATHS)),
    tallies=several(tallies, 5),
    notes=several(notes),
    policy=TEXTS,
    unread=maybe(several(unread)),
    peak_activation_bytes=maybe(NATURALS),
    input_bytes=maybe(NATURALS),
)


@st.composite
def laws(draw: st.DrawFn) -> CostLaw:
    first = st.tuples(*[NATURALS] * len(NOTHING)) | st.just(NOTHING)
    further = several(st.tuples(*[WHOLES] * len(NOTHING)), 1)
    rows = st.builds(lambda row, others: (row, *others), first, further)
    entries = st.tuples(NAMES, st.sampled_from(PATHS), FLAGS)
    differences = draw(st.dictionaries(entries, rows, max_size=3))
    example = draw(counts)
    if draw(FLAGS):
        fields = {**vars(example), "tallies": _tallies_at_start(differences)}
        example = CostReport(**{name: fields[name] for name in CostReport.__dataclass_fields__})
    return CostLaw(
        start=draw(st.integers(0, 100)),
        period=draw(st.integers(1, 100)),
        differences=differences,
        example=example,
        counted_at=draw(several(NATURALS)),
        memory=draw(maybe(several(st.tuples(NATURALS, NATURALS)))),
    )


windows = st.builds(
    Window,
    duration_s=NUMBERS,
    calls=NATURALS,
    latencies_s=st.lists(NUMBERS, min_size=1, max_size=3).map(tuple),
    energy_j=maybe(by_domain),
    idle_before_w=maybe(by_domain),
    idle_after_w=maybe(by_domain),
    cpu_s=NUMBERS,
    disturbances=several(TEXTS),
    redone=FLAGS,
)
measurements = st.builds(
    Measurement,
    **{
        name: maybe(quantities)
        for name in ("energy_j", "energy_net_j", "power_w", "power_net_w", "idle_power_w")
    },
    energy_by_domain_j=st.dictionaries(TEXTS, quantities, max_size=2),
    latency_s=maybe(quantities),
    latency_quartiles_s=maybe(intervals),
    latency_p95_s=maybe(NUMBERS),
    sensors=several(TEXTS),
    memory=maybe(st.builds(Memory, *[maybe(quantities)] * 4)),
    windows=several(windows),
    calls=NATURALS,
    notes=several(notes),
    partial=FLAGS,
    backend=TEXTS,
    device=TEXTS,
    dtype=TEXTS,
    threads=maybe(NATURALS),
    output=maybe(outputs),
    batch=st.integers(1, 9),
    estimated_energy_j=maybe(quantities),
    max_relative_difference=maybe(NUMBERS),
    derived=st.dictionaries(TEXTS, quantities, max_size=2),
)

ranges = intervals.map(lambda ends: Bounds(min(ends), sum(ends) / 2, max(ends)))
bounds = ranges | NUMBERS.map(Bounds.exactly)
trainings = st.builds(
    CarbonEstimate,
    energy_kwh=quantities,
    carbon_kgco2e=quantities,
    intensity=quantities,
    pue=maybe(quantities),
    formula=TEXTS,
    phases=several(
        st.builds(
            TrainingPhase,
            hours=bounds,
            count=st.integers(1, 99),
            hardware=TEXTS,
            power=st.builds(Power, bounds, st.sampled_from(("estimated", "measured")), TEXTS),
            note=TEXTS,
        )
    ),
    cpu_power_w=maybe(quantities),
    ram_power_w=maybe(quantities),
    notes=several(notes),
)
standings = st.builds(
    Standing,
    model=TEXTS,
    beside=several(TEXTS),
    training=maybe(trainings),
    mos_loss=maybe(quantities),
    places=several(
        st.builds(
            Place,
            cost=TEXTS,
            value=maybe(quantities),
            rank=maybe(NATURALS),
            of=NATURALS,
            dominated_by=several(TEXTS),
            probability_optimal=maybe(NUMBERS),
            reason=TEXTS,
        )
    ),
    unranked=TEXTS,
    source=TEXTS,
)

explanations = st.builds(Explanation, TEXTS, NUMBERS, several(TEXTS))
peers = st.builds(
    PeerResult,
    name=TEXTS,
    version=maybe(TEXTS),
    unit=TEXTS,
    count=maybe(
        st.builds(
            PeerCount,
            reported=NUMBERS,
            entries=several(st.builds(Entry, TEXTS, TEXTS, NUMBERS, maybe(NATURALS), FLAGS, FLAGS)),
            notes=several(notes),
        )
    ),
    failure=TEXTS,
    difference=maybe(NUMBERS),
    explanations=several(explanations),
    duration_s=maybe(NUMBERS),
)
explained = st.builds(
    PeerResult,
    name=TEXTS,
    version=TEXTS,
    unit=TEXTS,
    count=st.builds(PeerCount, NUMBERS, st.just(()), several(notes)),
    difference=NUMBERS,
    unexplained=explanations,
)
crosschecks = st.builds(
    CrossCheck,
    report=counts,
    peers=several(peers | explained),
    title=TEXTS,
    provenance=st.dictionaries(TEXTS, TEXTS, max_size=2),
)

#: What JSON can hold.
data = st.recursive(
    st.none() | FLAGS | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(TEXTS, data, max_size=3)
phases = st.builds(
    PhaseResult,
    phase=st.builds(Phase, TEXTS, TEXTS, maybe(outputs)),
    count=counts,
    law=maybe(laws()),
    weights=maybe(st.builds(FlopWeights, *[st.integers(0, 99)] * 7)),
    measurements=several(measurements, 2),
)
inspections = st.builds(
    Inspection,
    identity=st.builds(Identity, TEXTS, TEXTS, TEXTS, objects),
    phases=st.lists(phases, min_size=1, max_size=2).map(tuple),
    provenance=objects,
    standing=maybe(standings),
)
