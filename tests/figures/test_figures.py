"""Figures by their structure: what is where, not which pixel."""

import random
import re
import sys
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from inspect_cost import rank
from inspect_cost.figures.curves import Curve, draw_curves
from inspect_cost.figures.drawing import draw_ranking
from inspect_cost.figures.fronts import draw_pareto
from inspect_cost.figures.geometry import Panel, separate, trace_front
from inspect_cost.figures.saving import check_suffix, render_figure, save
from inspect_cost.ranking.ranking import Ranking
from inspect_cost.values.errors import UsageError
from inspect_cost.values.quantity import Kind, Quantity
from tests.extras import needs_html


def quantity(value: float, kind: Kind, half_width: float = 0) -> Quantity:
    ends = (value - half_width, value + half_width) if half_width else None
    return Quantity(value, "", kind, "test", ends)


@pytest.fixture(scope="module")
def ranking() -> Ranking:
    points = {
        "Alpha": (quantity(1e6, "measured"), quantity(3.0, "reported", 0.3)),
        "Beta": (quantity(1e8, "counted"), quantity(4.0, "reported", 0.2)),
        "Gamma": (quantity(3e8, "reported"), quantity(3.9, "reported", 0.2)),
        "Lost": (None, quantity(4.9, "reported")),
    }
    return rank(points, maximise=[False, True], objectives=["macs", "mos"])


A = TypeVar("A", bound=Artist)


def artists(figure: Figure, kind: type[A], prefix: str) -> Iterator[tuple[str, A]]:
    for artist in figure.findobj(kind):
        gid = artist.get_gid() or ""
        if isinstance(artist, kind) and gid.startswith(prefix):
            yield gid.removeprefix(prefix), artist


def corners_of(line: Line2D) -> list[list[float]]:
    columns = [np.asarray(line.get_xdata(), dtype=float), np.asarray(line.get_ydata(), dtype=float)]
    corners: list[list[float]] = np.column_stack(columns).tolist()
    return corners


def test_points_are_where_their_values_are(ranking: Ranking) -> None:
    figure = draw_pareto(ranking)
    points = dict(artists(figure, Line2D, "point:"))
    assert points.keys() == {"Alpha", "Beta", "Gamma"}
    for name, line in points.items():
        expected = ranking.points.values[ranking.points.position[name]]
        assert corners_of(line) == [expected.tolist()]
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("MACs per call", "Mean opinion score")


def test_kinds_have_marks_of_their_own(ranking: Ranking) -> None:
    points = dict(artists(draw_pareto(ranking), Line2D, "point:"))
    looks = {
        name: (line.get_marker(), line.get_markerfacecolor() == "white")
        for name, line in points.items()
    }
    assert looks == {"Alpha": ("o", False), "Beta": ("o", True), "Gamma": ("x", False)}


def test_fronts_are_steps_that_no_point_is_beyond(ranking: Ranking) -> None:
    panel = Panel(ranking)
    corners = trace_front(panel, ranking.front)
    for (x, y), (next_x, next_y) in pairwise(corners.tolist()):
        assert x == next_x or y == next_y
    assert [1e6, 3.0] in corners.tolist()
    assert [1e8, 4.0] in corners.tolist()
    assert [1e8, 3.0] in corners.tolist()
    drawn = dict(artists(draw_pareto(ranking), Line2D, "front:"))
    assert drawn.keys() == {"0", "1"}
    assert corners_of(drawn["0"]) == corners.tolist()


@pytest.mark.parametrize("maximise", [(False, False), (False, True), (True, False), (True, True)])
def test_steps_bound_the_dominated_region_whichever_way_is_better(
    maximise: tuple[bool, bool],
) -> None:
    ranking = rank([(1, 2), (2, 1), (3, 5), (5, 3), (4, 4)], maximise=maximise)
    corners = trace_front(Panel(ranking), ranking.front)
    signs = np.where(maximise, -1, 1)
    costs = corners * signs
    # Along the boundary, x gets worse and y gets better; each corner is as bad as some member.
    assert (np.diff(costs[:, 0]) >= 0).all()
    assert (np.diff(costs[:, 1]) <= 0).all()
    members = ranking.points.costs[[int(i) for i in ranking.front]]
    assert all((members <= corner).all(axis=1).any() for corner in costs)


def boxes(figure: Figure, prefix: str = "label:") -> dict[str, list[Bbox]]:
    found: dict[str, list[Bbox]] = {}
    for name, text in artists(figure, Text, prefix):
        # An annotation's own box holds its arrow too.
        box = Text.get_window_extent(text) if isinstance(text, Annotation) else None
        found.setdefault(name, []).append(box or text.get_window_extent())
    return found


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    figure.draw_without_rendering()
    all_boxes = [(name, box) for name, many in boxes(figure).items() for box in many]
    return [(a, b) for (a, one), (b, other) in combinations(all_boxes, 2) if one.overlaps(other)]


@pytest.mark.parametrize("seed", [1, 2])
def test_labels_do_not_overlap(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    points = {
        f"a long name {n}": (10 ** chance.gauss(8, 0.5), chance.gauss(3.5, 0.3)) for n in range(16)
    }
    figure = draw_pareto(rank(points, maximise=[False, True]))
    assert len(boxes(figure)) == 16
    assert overlapping(figure) == []


def test_labels_of_equal_points_do_not_overlap() -> None:
    figure = draw_pareto(rank({f"twin {n}": (1, 1) for n in range(4)} | {"far": (2, 0.5)}))
    assert len(boxes(figure)) == 5
    assert overlapping(figure) == []


@pytest.mark.parametrize("panels", [1, 2, 3])
def test_nothing_is_cut_off(ranking: Ranking, panels: int) -> None:
    figure = draw_pareto(*[ranking] * panels)
    figure.draw_without_rendering()
    page = figure.bbox
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
    for found in boxes(figure).values():
        for box in found:
            assert page.x0 <= box.x0
            assert box.x1 <= page.x1


def test_two_panels_side_by_side(ranking: Ranking) -> None:
    figure = draw_pareto(Panel(ranking, "Training", x_title="here"), Panel(ranking, "Inference"))
    left, right = figure.axes
    assert (left.get_title(loc="left"), left.get_xlabel()) == ("Training", "here")
    assert right.get_title(loc="left") == "Inference"
    assert left.get_position().x1 < right.get_position().x0
    assert left.get_position().y0 == pytest.approx(right.get_position().y0)


def svg_texts(content: bytes) -> list[str]:
    root = ET.fromstring(content)  # noqa: S314 - our own
    return ["".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("text")]


def test_svg_has_letters_and_is_the_same_each_time(ranking: Ranking) -> None:
    content = render_figure(draw_pareto(ranking), ".svg")
    texts = svg_texts(content)
    assert {"Mean opinion score", "MACs per call", "Pareto front", "cost counted"} <= set(texts)
    assert any(re.fullmatch(r"Gamma \(2\d%\)", text) for text in texts)
    assert {"Alpha", "Beta"} <= set(texts)
    assert not any("Lost" in text for text in texts)
    assert content == render_figure(draw_pareto(ranking), ".svg")
    assert b"<dc:date>" not in content


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_saving(ranking: Ranking, tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / f"front{suffix}"
    save(draw_pareto(ranking), path)
    first = path.read_bytes()
    assert first.startswith(start)
    save(draw_pareto(ranking), path)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("front.gif", "cannot be written as front.gif"),
        ("front.html", "cannot be written as front.html"),
        ("no/front.svg", "No such file"),
    ],
)
def test_saving_where_it_cannot_be(
    ranking: Ranking, tmp_path: Path, name: str, complaint: str
) -> None:
    if name.endswith("html"):  # a picture of matplotlib's is none, where there are such at all
        needs_html()
    with pytest.raises(UsageError, match=complaint):
        save(draw_pareto(ranking), tmp_path / name)


def many(objectives: int, points: int = 8) -> Ranking:
    chance = random.Random(objectives)  # noqa: S311 - no secret
    values = {
        f"net {n}": [10 ** chance.uniform(0, 3) for _ in range(objectives)] for n in range(points)
    }
    return rank(values, objectives=[f"cost {n}" for n in range(objectives)])


def test_three_objectives_make_a_matrix_of_pairs() -> None:
    ranking = many(3)
    figure = draw_ranking(ranking)
    shown = [axes for axes in figure.axes if axes.axison]
    assert {(a.get_xlabel(), a.get_ylabel()) for a in shown} == {
        ("cost 0", "cost 1"),
        ("cost 0", "cost 2"),
        ("cost 1", "cost 2"),
    }
    assert all(len(found) == 3 for found in boxes(figure).values())
    assert overlapping(figure) == []


def test_more_objectives_make_parallel_coordinates() -> None:
    ranking = many(6, 20)
    figure = draw_ranking(ranking)
    lines = dict(artists(figure, Line2D, "line:"))
    assert lines.keys() == set(ranking.names)
    heights = np.array([[y for _, y in corners_of(line)] for line in lines.values()])
    assert heights.min(axis=0).tolist() == [0] * 6
    assert heights.max(axis=0).tolist() == [1] * 6
    best = ranking.names[int(ranking.points.values[:, 2].argmin())]
    assert corners_of(lines[str(best)])[2] == [2, 1]
    assert boxes(figure).keys() == set(ranking.front)
    assert overlapping(figure) == []


def test_curves_of_costs() -> None:
    curves: dict[str, Curve] = {
        "linear": lambda n: 3 * n,
        "twin": lambda n: 3.01 * n,
        "square": [(1_000, 1e6), (100, 1e4), (10_000, 1e8)],
    }
    figure = draw_curves(curves, (100, 10_000))
    axes = figure.axes[0]
    assert axes.get_xscale() == axes.get_yscale() == "log"
    lines = dict(artists(figure, Line2D, "curve:"))
    x, y = np.transpose(corners_of(lines["linear"]))
    assert (x[0], x[-1]) == (100, 10_000)
    assert (y == 3 * x).all()
    assert [x for x, _ in corners_of(lines["square"])] == [100, 1_000, 10_000]
    assert overlapping(figure) == []


@pytest.mark.parametrize("curves", [{}, {"zero": [(1, 0)]}, {"none": []}])
def test_curves_that_cannot_be_drawn(curves: dict[str, list[tuple[float, float]]]) -> None:
    with pytest.raises(UsageError):
        draw_curves(curves)


def test_spreading_keeps_order_and_gaps() -> None:
    chance = random.Random(0)  # noqa: S311 - no secret
    for _ in range(50):
        places = [chance.random() for _ in range(chance.randint(1, 12))]
        moved = separate(places, 0.1)
        order = sorted(range(len(places)), key=places.__getitem__)
        assert all(moved[b] - moved[a] >= 0.1 - 1e-6 for a, b in pairwise(order))
    assert separate([0.1, 0.5, 0.9], 0.1) == [0.1, 0.5, 0.9]


def test_drawing_leaves_the_users_settings_alone(ranking: Ranking) -> None:
    before = dict(mpl.rcParams)
    render_figure(draw_pareto(ranking), ".png")
    assert dict(mpl.rcParams) == before


def test_interactive_figures_are_whole_and_say_everything(ranking: Ranking) -> None:
    needs_html()
    html = render_figure(draw_ranking(ranking, ".html"), ".html").decode()
    assert not re.search(r"<(script|link)[^>]+(src|href)=", html)
    assert "100,000,000 counted" in html
    assert r"4 \u00b1 0.2 reported" in html
    chart = draw_ranking(ranking, ".html").to_dict()
    values = [record for layer in chart["layer"] for record in _data(chart, layer)]
    named = {record["name"]: record for record in values if "name" in record}
    assert named.keys() == {"Alpha", "Beta", "Gamma"}
    assert named["Gamma"]["dominated_by"] == "Beta"
    assert named["Beta"]["fill0"] == "white"


def _data(
    chart: dict[str, dict[str, list[dict[str, object]]]], layer: object
) -> list[dict[str, object]]:
    assert isinstance(layer, dict)
    data = layer.get("data", {})
    return data.get("values") or chart.get("datasets", {}).get(data.get("name"), [])


def test_interactive_figures_without_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(UsageError, match="altair and vl-convert") as raised:
        check_suffix(Path("front.html"))
    assert "inspect-cost[html]" in raised.value.advice


def test_interactive_matrix_of_three() -> None:
    needs_html()
    chart = draw_ranking(many(3), ".html").to_dict()
    assert [len(row["hconcat"]) for row in chart["vconcat"]] == [1, 2]


def crowd(size: int) -> Ranking:
    """Many models at nearly one place, and one elsewhere."""
    chance = random.Random(size)  # noqa: S311 - no secret
    points = {
        f"a name of some length {n}": (1 + chance.random() / 1e4, 1 + chance.random() / 1e4)
        for n in range(size)
    }
    return rank({**points, "far": (9.0, 0.1)})


def test_names_without_room_are_counted_in_the_legend() -> None:
    ranking = crowd(12)
    figure = draw_pareto(ranking)
    named = boxes(figure)
    said = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert 2 <= len(named) < 13
    assert f"{13 - len(named)} names omitted (no room)" in said
    assert "far" in named
    assert set(named) & set(ranking.front) - {"far"}, "the first front is named first"
    assert overlapping(figure) == []


def test_a_figure_with_room_leaves_nothing_out(ranking: Ranking) -> None:
    said = [t.get_text() for legend in draw_pareto(ranking).legends for t in legend.get_texts()]
    assert not any("omitted" in text for text in said)


def test_many_panels_make_rows() -> None:
    figure = draw_pareto(*[rank({"a": (1, 2), "b": (2, 1)})] * 5)
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == 5
    assert len({round(axes.get_position().y0, 3) for axes in shown}) == 2
    assert figure.get_figwidth() < 3.6 * 3 * 2.1


def test_parallel_coordinates_mark_kinds_and_chances() -> None:
    kinds: list[Kind] = ["measured", "counted", "estimated", "reported", "measured"]
    points = {
        "one": [quantity(1, kind) for kind in kinds],
        "two": [quantity(2, kind) for kind in kinds[:4]] + [quantity(1.1, "measured", 0.3)],
    }
    figure = draw_ranking(rank(points))
    marks = [
        (line.get_marker(), line.get_markerfacecolor() == "white")
        for line in figure.findobj(Line2D)
        if isinstance(line, Line2D) and line.get_markersize() == 4
    ]
    filled, hollow, cross = ("o", False), ("o", True), ("x", False)
    assert sorted(marks) == sorted([filled, hollow, hollow, cross, filled] * 2)
    said = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert {"measured", "counted", "estimated", "reported", "dominated"} <= said
    assert "(%) chance of optimality" in said


@pytest.mark.parametrize("suffix", [".svg", ".html"])
def test_a_figure_without_finite_points(suffix: str) -> None:
    if suffix == ".html":
        needs_html()
    with pytest.raises(UsageError, match="that can be drawn"):
        draw_ranking(rank([(float("inf"), 1), (2, float("-inf"))]), suffix)


def test_points_beyond_all_axes_are_counted_in_the_legend() -> None:
    figure = draw_pareto(rank([(float("inf"), 1), (2, 2), (1, 3)]))
    said = {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert "1 beyond all axes" in said
    assert len(list(artists(figure, Line2D, "point:"))) == 2


def test_names_in_an_interactive_figure_point_inwards(ranking: Ranking) -> None:
    needs_html()
    chart = draw_ranking(ranking, ".html").to_dict()
    sides = {
        record["name"]: layer["mark"]["align"]
        for layer in chart["layer"]
        if layer["mark"]["type"] == "text"
        for record in _data(chart, layer)
    }
    assert sides == {"Alpha": "left", "Beta": "right"}


def test_an_interactive_legend_tells_the_kinds_of_costs_only(ranking: Ranking) -> None:
    needs_html()
    counted = {name: ranking.points.values[row].tolist() for row, name in enumerate("ab")}
    points = {
        n: (quantity(v[0], "counted"), quantity(v[1], "reported")) for n, v in counted.items()
    }
    legend = draw_ranking(rank(points), ".html").to_dict()["title"]["subtitle"][1]
    assert legend == "The cost is counted if hollow."
