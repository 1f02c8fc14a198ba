"""The protocol: a first call, a warm-up, then windows until there are enough or time is up."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from statistics import median

from inspect_cost.measuring.protocol.statistics import mean_interval, median_interval
from inspect_cost.measuring.protocol.window import SHORTEST_SAMPLE_S, Bench, Window
from inspect_cost.values.progress import Progress, ignore_progress

#: Idle time before a window, and again after it, as shares of the window.
IDLE_SHARE = 0.25
#: A window with its idle time, as a multiple of the window.
WHOLE = 1 + 2 * IDLE_SHARE
#: Warm-up is over when two stretches of calls in a row differ by less than this in latency.
STABLE = 0.03
WARM_UP_SHARE = 0.2  # of the budget, at most
WARM_UP_STRETCHES = 6
STRETCH_S = 0.05
#: No call is shorter, whatever a coarse clock says.
SHORTEST_CALL_S = 1e-8
#: So many undisturbed windows are preferred to more that were disturbed.
FEWEST_UNDISTURBED = 3


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Attributes:
        budget_s: the time that it may take.
        windows: how many are wanted.
        window_s: how long each should last.
        until: go on until the confidence interval is at most so much of the value to each side.
        random_delay_s: wait up to so long between windows, lest they keep time with a counter.
    """

    budget_s: float
    windows: int = 10
    window_s: float = 1.0
    until: float | None = None
    random_delay_s: float = 0.0


@dataclass
class Record:
    """What a run has seen so far.

    Attributes:
        windows: all of them, in order; those that were set aside say so.
        notes: sentences on how it went.
        interrupted: Ctrl-C ended it.
        warmed_up: whether calls preceded the windows.
        per_sample: calls that are timed together.
    """

    windows: list[Window] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False
    warmed_up: bool = False
    per_sample: int = 1

    @property
    def kept(self) -> list[Window]:
        """The windows that count."""
        return [window for window in self.windows if not window.redone]

    @property
    def undisturbed(self) -> list[Window]:
        """Those that nothing spoiled."""
        return [window for window in self.windows if not window.disturbances]


def followed(
    bench: Bench,
    plan: Plan,
    progress: Progress = ignore_progress,
    after_first: Callable[[float], None] = lambda _duration_s: None,
) -> Record:
    """Follow the protocol as far as the budget goes, with one whole call at least.

    Args:
        bench: what is measured, and with what.
        plan: how.
        progress: is told how far it is, between windows.
        after_first: is called after the first call, with its duration.

    Raises:
        KeyboardInterrupt: before any call was over; later ones end the run, which says so.
    """
    record = Record()
    try:
        _follow(bench, plan, record, progress, after_first)
    except KeyboardInterrupt:
        if not record.windows:
            raise
        record.interrupted = True
    _set_aside(record, plan)
    return record


def _follow(
    bench: Bench,
    plan: Plan,
    record: Record,
    progress: Progress,
    after_first: Callable[[float], None],
) -> None:
    now = bench.clock.now
    deadline = now() + plan.budget_s
    first = bench.window(1, 1, plan.window_s * IDLE_SHARE)
    record.windows.append(first)  # until there is a better one
    deadline = max(deadline, _after_interlude(after_first, first.duration_s, deadline, plan, now))
    if now() + first.duration_s > deadline:
        return
    latency_s = _warmed_up(bench, plan, record, first.duration_s)
    record.per_sample = max(1, ceil(SHORTEST_SAMPLE_S / max(latency_s, SHORTEST_CALL_S)))
    made: list[Window] = []
    while (window := _next(bench, plan, record, latency_s, deadline, first=not made)) is not None:
        made.append(window)
        record.windows = made
        if len(made) == 1:  # better known than from a first call or a warm-up
            latency_s = window.duration_s / window.calls
        progress(_done(record, plan, 1 - (deadline - now()) / plan.budget_s))


def _after_interlude(
    interlude: Callable[[float], None],
    first_s: float,
    deadline: float,
    plan: Plan,
    now: Callable[[], float],
) -> float:
    """The deadline after something else was done: windows keep half of the budget all the same."""
    started = now()
    interlude(first_s)
    return min(deadline + now() - started, now() + plan.budget_s / 2)


def _next(
    bench: Bench, plan: Plan, record: Record, latency_s: float, deadline: float, *, first: bool
) -> Window | None:
    """One more window, if one is wanted and there is time; a shorter one only as the first."""
    if not first and _enough(bench, record, plan):
        return None
    if plan.random_delay_s:
        bench.clock.sleep(random.uniform(0, plan.random_delay_s))  # noqa: S311 - no secret
    left = deadline - bench.clock.now()
    whole = WHOLE if bench.meter.works else 1.0
    group = record.per_sample
    groups = max(1, ceil(plan.window_s / latency_s / group))
    fitting = int(left / (latency_s * group * whole))
    if fitting < groups and not first:
        return None
    if first:
        groups = max(1, min(groups, fitting))
    duration_s = groups * group * latency_s
    return bench.window(groups * group, group, duration_s * IDLE_SHARE)


def _warmed_up(bench: Bench, plan: Plan, record: Record, first_s: float) -> float:
    """Call until the latency is stable; returns it. A long first call was warm-up enough."""
    clock, limit_s = bench.clock, WARM_UP_SHARE * plan.budget_s
    if first_s > limit_s / WARM_UP_STRETCHES:
        record.warmed_up = True
        return first_s
    ends = clock.now() + limit_s
    calls = ceil(STRETCH_S / max(median(bench.timed(3, 1)), SHORTEST_CALL_S))
    stretches: list[float] = []
    while clock.now() < ends:
        stretches += bench.timed(calls, calls)
        if stable(stretches):
            record.warmed_up = True
            break
    else:
        record.warmed_up = True
        record.notes.append(
            f"Latency was not yet stable when the warm-up ended, after {limit_s:.3g} s."
        )
    return median(stretches[-3:]) if stretches else first_s


def stable(latencies: list[float]) -> bool:
    """Whether the last three stretches are as quick as the three before them."""
    if len(latencies) < WARM_UP_STRETCHES:
        return False
    earlier, later = median(latencies[-6:-3]), median(latencies[-3:])
    return abs(later - earlier) <= STABLE * earlier


def _enough(bench: Bench, record: Record, plan: Plan) -> bool:
    """Whether the windows suffice, or so many were disturbed that the rest will be."""
    if len(record.undisturbed) >= plan.windows:
        windows = record.undisturbed
    elif len(record.windows) >= 2 * plan.windows:
        windows = record.windows
    else:
        return False
    if plan.until is None:
        return True
    achieved = precision(bench, windows)
    return achieved is not None and achieved <= plan.until


def precision(bench: Bench, windows: list[Window]) -> float | None:
    """Half the confidence interval as a share of the value: of the energy, else of the latency."""
    if bench.meter.works:
        value, ends = mean_interval([sum((w.energy_j or {}).values()) / w.calls for w in windows])
    else:
        value, ends = median_interval([w.latencies_s for w in windows])
    return (ends[1] - ends[0]) / 2 / value if ends and value else None


def _done(record: Record, plan: Plan, spent: float) -> float:
    """How much of the run is behind, by windows or by time, whichever ends it first."""
    made = len(record.undisturbed) / plan.windows if plan.until is None else 0.0
    return min(1.0, max(made, spent))


def _set_aside(record: Record, plan: Plan) -> None:
    """Leave disturbed windows out where there are enough others; say so either way."""
    disturbed = [window for window in record.windows if window.disturbances]
    if not disturbed:
        return
    every = list(dict.fromkeys(text for w in disturbed for text in w.disturbances))
    reasons = "; ".join([*every[:2], *(["and the like"] if len(every) > 2 else [])])  # noqa: PLR2004
    if len(record.undisturbed) >= min(plan.windows, FEWEST_UNDISTURBED):
        record.windows = [replace(w, redone=bool(w.disturbances)) for w in record.windows]
        record.notes.append(f"{_counted(len(disturbed))} disturbed and redone: {reasons}.")
    else:
        record.notes.append(
            f"{_counted(len(disturbed))} disturbed and kept, for want of others: {reasons}."
        )


def _counted(windows: int) -> str:
    return f"{windows} window{' was' if windows == 1 else 's were'}"
