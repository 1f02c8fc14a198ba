"""What documents say: exact numbers behind rounded ones, phases, units of outputs."""

from dataclasses import replace

import pytest

from inspect_cost.reports.document import Cell, Document, Facts, Heading, Notes, Tree
from inspect_cost.reports.inspection import Inspection, PhaseResult
from inspect_cost.reports.sections.inspection import compose_count, compose_inspection
from inspect_cost.reports.sections.measurement import compose_measurement
from inspect_cost.reports.view import View
from inspect_cost.values.cost import OpCost
from inspect_cost.values.identity import Identity, Output, Phase
from tests.reports.examples import COUNT, INSPECTION, MEASUREMENT


def find_facts(document: Document) -> dict[str, Cell]:
    blocks = [block for block in document.blocks if isinstance(block, Facts)]
    return {row.name: row.value for block in blocks for row in block.rows if row.name}


def test_cells_keep_exact_numbers() -> None:
    tallies = (replace(COUNT.tallies[0], cost=OpCost(macs=10**15 + 1)),)
    count = replace(COUNT, tallies=tallies)
    document = compose_count(count, View())
    (tree,) = (block for block in document.blocks if isinstance(block, Tree))
    macs = tree.rows[0].cells[3]
    assert (macs.text, macs.value, macs.unit, macs.kind) == (
        "1.000 P",
        10**15 + 1,
        "MAC",
        "counted",
    )
    assert find_facts(document)["MACs"].value == 10**15 + 1
    assert find_facts(document)["FLOPs"].value == 2 * (10**15 + 1)


def test_cells_of_measurements_have_value_unit_and_kind() -> None:
    facts = find_facts(compose_measurement(MEASUREMENT, View()))
    energy = facts["Energy"]
    assert (energy.value, energy.unit, energy.kind) == (1.2345, "J", "measured")
    estimate = facts["Energy, estimated"]
    assert (estimate.value, estimate.unit, estimate.kind) == (3.21, "J", "estimated")
    assert facts["Real-time factor"].value == pytest.approx(0.01234 / 1.01)
    assert facts["Peak memory"].value == 512_345_678


def test_figures_are_also_given_per_unit_of_output() -> None:
    tokens = replace(MEASUREMENT, output=Output(128, "token"))
    blocks = compose_measurement(tokens, View()).blocks
    rows = [row for block in blocks if isinstance(block, Facts) for row in block.rows]
    each = {row.remark.split(",")[0]: row.value.value for row in rows if "a token" in row.remark}
    assert each == {"gross": 1.2345 / 128, "a token": 0.01234 / 128}
    assert "Real-time factor" not in {row.name for row in rows}


@pytest.mark.parametrize(("depth", "names"), [(0, 1), (1, 3), (2, 5)])
def test_the_tree_goes_down_to_the_views_depth(depth: int, names: int) -> None:
    document = compose_count(COUNT, View(depth=depth))
    (tree,) = (block for block in document.blocks if isinstance(block, Tree))
    assert len(tree.rows) == names
    assert max(row.depth for row in tree.rows) == depth
    for level in range(depth):  # the lines of a level add up to the line above them
        below = [row.cells[4].value for row in tree.rows if row.depth == level + 1]
        assert all(isinstance(value, int) for value in below)


def test_several_phases_have_a_heading_each() -> None:
    phases = (
        PhaseResult(Phase("prefill", "128 tokens", Output(128, "token")), COUNT),
        PhaseResult(Phase("decode", "1 token", Output(1, "token")), COUNT),
    )
    inspection = Inspection(Identity("gpt", "GPT", "A paper"), phases, {})
    document = compose_inspection(inspection, View())
    headings = [block for block in document.blocks if isinstance(block, Heading)]
    assert [(h.level, h.text, h.remarks) for h in headings] == [
        (1, "GPT", ()),
        (2, "prefill", ("128 tokens",)),
        (2, "decode", ("1 token",)),
    ]
    totals = [block for block in document.blocks if isinstance(block, Facts)]
    remarks = [row.remark for block in totals for row in block.rows if row.name.startswith("MACs")]
    assert remarks == ["380 MAC; 2.969 MAC per token", "380 MAC; 380 MAC per token"]
    notes = [block for block in document.blocks if isinstance(block, Notes)]
    assert [cell.text for cell in notes[-1].lines][:2] == [
        "prefill: Two calls were merged.",
        "decode: Two calls were merged.",
    ]


def test_one_phase_needs_no_heading_of_its_own() -> None:
    document = compose_inspection(INSPECTION, View())
    first = document.blocks[0]
    assert isinstance(first, Heading)
    assert first.text == "Net [1]"
    assert first.remarks == ("generate 16,384 samples", "(1 s at 16,000 Hz)")


def test_empty_parts_are_left_out() -> None:
    assert Document.of("", [], [Heading("a")], ()).parts == ((Heading("a"),),)
