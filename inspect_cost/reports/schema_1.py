"""Reports of schema 1, read as inspections.

Such a report has totals by operator and totals by module, but not which operator runs in which
module; of each module below the model it has the parameters alone. What it says exactly is read
exactly. Beyond that:

* each module's own arithmetic stands under one operator, `UNATTRIBUTED`;
* unused computation and hoistable arithmetic are unknown (`waste` and `foldable` are None);
* data types and buffers of the modules below the model are missing from their storage;
* each window has one latency, its median, and the mean of both idle stretches for each;
* cost laws are left out: their polynomials are totals, without modules and operators.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from inspect_cost.counting.as_data import read_module
from inspect_cost.counting.report import CostReport
from inspect_cost.counting.tally import Storage, Tally, ancestry
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.paper.places import Standing
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.values.cost import FlopWeights, OpCost
from inspect_cost.values.identity import AUDIO, Identity, Output, Phase
from inspect_cost.values.notes import Note, read_notes

#: Stands for all operators of a module whose costs are known.
UNATTRIBUTED = "(not by operator)"
NOTE = Note(
    "schema-1",
    "This report was read from a file of schema 1, which does not say which operators run in "
    "which module, nor what of the computation is unused.",
)
LAW_NOTE = Note(
    "schema-1-law", "The file also has a cost law, which cannot be read back from schema 1."
)

Row = Mapping[str, Any]


def read_report(written: Row) -> Inspection:
    """Return the inspection that a report of schema 1 tells of."""
    model, standing = written["model"], written.get("standing")
    return Inspection(
        identity=Identity(
            name=model["name"],
            title=model["title"],
            source=model["source"] or "",
            settings=dict(model["settings"]),
        ),
        phases=(_read_phase(written),),
        provenance=dict(written["provenance"]),
        standing=standing and Standing.from_dict(standing),
    )


def _read_phase(written: Row) -> PhaseResult:
    model, weighted = written["model"], written.get("weighted_flops")
    output = _read_output(written["audio"])
    notes = (NOTE, LAW_NOTE) if written.get("law") else (NOTE,)
    first = written["measurement"]
    backends = first.get("backends", [first]) if first else []
    return PhaseResult(
        phase=Phase(description=model["call"], output=output),
        count=_read_count(written["count"], model["class"], notes),
        weights=weighted and FlopWeights.from_dict(weighted["weights"]),
        measurements=tuple(_read_measurement(row, output) for row in backends),
    )


def _read_output(audio: Row | None) -> Output | None:
    if audio is None:
        return None
    return Output(
        amount=audio["samples_generated"],
        unit=AUDIO,
        rate=audio["sample_rate"],
        requested=audio["samples_requested"],
    )


def _read_measurement(written: Row, output: Output | None) -> Measurement:
    """Read a measurement of schema 1, whose output is that of the report if it has audio."""
    made = output and written["audio_s"] and output.to_dict()
    return Measurement.from_dict({**written, "output": made})


def _read_count(written: Row, model: str, notes: tuple[Note, ...]) -> CostReport:
    first, *others = (read_module(row) for row in written["modules"])
    storage = Storage(
        params=written["params"],
        param_bytes=written["param_bytes"],
        trainable=written["trainable"],
        buffers=written["buffers"],
        buffer_bytes=written["buffer_bytes"],
        dtypes=dict(written["dtypes"]),
        weight_norm_lengths=written["params"] - written["params_folded"],
    )
    return CostReport(
        model=model,
        modules=((*first[:2], storage), *others),
        tallies=tuple(_list_tallies(written)),
        notes=(*read_notes(written["notes"]), *notes),
        policy=written["policy"],
        peak_activation_bytes=written["peak_activation_bytes"],
        input_bytes=written["input_bytes"],
    )


def _list_tallies(written: Row) -> Iterator[Tally]:
    """Yield each module's own work, then the operators without a known cost.

    Nothing says in which modules those run, so they stand in the model itself, whose own calls
    and bytes are less by theirs: the sums of each module and of the model are then exact.
    """
    uncounted = [row for row in written["operators"] if row["name"] in written["uncounted"]]
    calls = sum(row["calls"] for row in uncounted)
    moved = sum(row["bytes_moved"] for row in uncounted)
    for path, own in _subtract_inner(written["modules"]).items():
        outside = (calls, moved) if not path else (0, 0)
        tally = Tally(
            UNATTRIBUTED, path, own.calls - outside[0], own.cost, own.bytes_moved - outside[1]
        )
        if tally.calls or tally.cost != OpCost() or tally.bytes_moved:
            yield tally
    for row in uncounted:
        yield Tally(row["name"], "", row["calls"], OpCost(), row["bytes_moved"], counted=False)


def _subtract_inner(rows: list[Row]) -> Mapping[str, Tally]:
    """Return path -> what a module does itself: what is inside, less what is in those below it."""
    own = {row["path"]: _read_inside(row) for row in rows}
    for row in rows:
        around = next((path for path in ancestry(row["path"])[1:] if path in own), None)
        if around is not None:
            own[around] = _subtract(own[around], _read_inside(row))
    return own


def _read_inside(row: Row) -> Tally:
    cost = OpCost(macs=row["macs"], **row["flops_by_class"])
    return Tally(UNATTRIBUTED, row["path"], row["calls"], cost, row["bytes_moved"])


def _subtract(whole: Tally, part: Tally) -> Tally:
    return Tally(
        operator=whole.operator,
        module=whole.module,
        calls=whole.calls - part.calls,
        cost=whole.cost + part.cost * -1,
        bytes_moved=whole.bytes_moved - part.bytes_moved,
    )
