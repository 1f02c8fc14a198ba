"""The protocol: a first call, a warm-up, then windows until there are enough or time is up."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from statistics import fmean, median

from inspect_cost.measuring.protocol.statistics import mean_interval, median_interval
from inspect_cost.measuring.protocol.window import SHORTEST_SAMPLE_S, Bench, Window
from inspect_cost.values.notes import Note
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
#: A coarse clock may report no time at all; no call is shorter than this.
SHORTEST_CALL_S = 1e-8
#: This many undisturbed windows are preferred to more that were disturbed.
FEWEST_UNDISTURBED = 3


@dataclass(frozen=True)
class Plan:
    """Instructions for a run.

    Attributes:
        budget_s: the time that it may take.
        windows: number of windows wanted.
        window_s: how long each should last.
        until: stop only once the half-width of the 95 % interval is below this fraction of the
            value; None to stop after ``windows``.
        random_delay_s: longest random pause before a window, so that windows do not lock onto the
            sensor's update period.
    """

    budget_s: float
    windows: int = 10
    window_s: float = 1.0
    until: float | None = None
    random_delay_s: float = 0.0


@dataclass
class Record:
    """Windows and notes of a run so far.

    Attributes:
        windows: all of them, in order; those that were set aside are marked.
        notes: sentences on how it went.
        interrupted: whether Ctrl-C ended it.
        warmed_up: whether calls preceded the windows.
        per_sample: calls that are timed together.
    """

    windows: list[Window] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    interrupted: bool = False
    warmed_up: bool = False
    per_sample: int = 1

    @property
    def kept(self) -> list[Window]:
        """Windows that were not set aside."""
        return [window for window in self.windows if not window.redone]

    @property
    def undisturbed(self) -> list[Window]:
        """Windows that nothing disturbed."""
        return [window for window in self.windows if not window.disturbances]


def run_protocol(
    bench: Bench,
    plan: Plan,
    progress: Progress = ignore_progress,
    after_first: Callable[[float], None] = lambda _duration_s: None,
) -> Record:
    """Follow the protocol as far as the budget allows, for at least one whole call.

    Args:
        bench: the call to measure, and the instruments.
        plan: what to do.
        progress: is called between windows.
        after_first: is called after the first call, with its duration.

    Raises:
        KeyboardInterrupt: during the first call; a later one ends the run, and the record says so.
    """
    record = Record()
    try:
        _run(bench, plan, record, progress, after_first)
    except KeyboardInterrupt:
        if not record.windows:
            raise
        record.interrupted = True
    _set_aside(record, plan)
    return record


def _run(
    bench: Bench,
    plan: Plan,
    record: Record,
    progress: Progress,
    after_first: Callable[[float], None],
) -> None:
    now = bench.clock.now
    deadline = now() + plan.budget_s
    # The first call may be all that the budget allows (or that is done before Ctrl-C), so it is a
    # window of its own. It is cold, and is dropped as soon as there is a warm one.
    first = bench.measure_window(1, 1, plan.window_s * IDLE_SHARE)
    record.windows.append(first)
    deadline = max(deadline, _run_interlude(after_first, first.duration_s, deadline, plan, now))
    if now() + first.duration_s > deadline:
        return
    latency_s = _warm_up(bench, plan, record, first.duration_s)
    record.per_sample = max(1, ceil(SHORTEST_SAMPLE_S / max(latency_s, SHORTEST_CALL_S)))
    made: list[Window] = []
    while window := _measure_next(bench, plan, record, latency_s, deadline, first=not made):
        made.append(window)
        record.windows = made
        if len(made) == 1:
            # Many calls in a row give a better latency than the warm-up did. Later windows keep
            # this one, so that all have the same number of calls and weigh the same.
            latency_s = window.duration_s / window.calls
        progress(_compute_progress(record, plan, 1 - (deadline - now()) / plan.budget_s))


def _run_interlude(
    interlude: Callable[[float], None],
    first_s: float,
    deadline: float,
    plan: Plan,
    now: Callable[[], float],
) -> float:
    """Do something else, and return the new deadline: windows keep at least half the budget."""
    started = now()
    interlude(first_s)
    return min(deadline + now() - started, now() + plan.budget_s / 2)


def _measure_next(
    bench: Bench, plan: Plan, record: Record, latency_s: float, deadline: float, *, first: bool
) -> Window | None:
    """Measure one more window, if one is wanted and there is time for it."""
    if not first and _has_enough(bench, record, plan):
        return None
    if plan.random_delay_s:
        bench.clock.sleep(random.uniform(0, plan.random_delay_s))  # noqa: S311 - no secret
    left_s = deadline - bench.clock.now()
    whole = WHOLE if bench.meter.works else 1.0  # without counters no window needs idle time
    group = record.per_sample
    groups = max(1, ceil(plan.window_s / latency_s / group))
    fitting = int(left_s / (latency_s * group * whole))
    # A shorter window would be less precise than the others, and they all weigh the same. Only the
    # first may be shorter: one short window is better than none.
    if fitting < groups and not first:
        return None
    if first:
        groups = max(1, min(groups, fitting))
    duration_s = groups * group * latency_s
    return bench.measure_window(groups * group, group, duration_s * IDLE_SHARE)


def _warm_up(bench: Bench, plan: Plan, record: Record, first_s: float) -> float:
    """Call until the latency is stable, and return it."""
    clock, limit_s = bench.clock, WARM_UP_SHARE * plan.budget_s
    if first_s > limit_s / WARM_UP_STRETCHES:
        # There is no time for as many calls as stability needs; a first call that long has warmed
        # up caches and clocks itself.
        record.warmed_up = True
        return first_s
    ends = clock.now() + limit_s
    # Stretches of equal length, long enough that one slow call does not decide.
    calls = ceil(STRETCH_S / max(median(bench.time_calls(3, 1)), SHORTEST_CALL_S))
    stretches: list[float] = []
    while clock.now() < ends:
        stretches += bench.time_calls(calls, calls)
        if is_stable(stretches):
            break
    else:
        text = f"Latency was not yet stable when the warm-up ended, after {limit_s:.3g} s."
        record.notes.append(Note("unstable-latency", text, "warning"))
    record.warmed_up = True
    return median(stretches[-3:]) if stretches else first_s


def is_stable(latencies: list[float]) -> bool:
    """Whether the last three stretches are as fast as the three before them."""
    if len(latencies) < WARM_UP_STRETCHES:
        return False
    # Medians, since one stretch may be slow for a reason of its own.
    earlier, later = median(latencies[-6:-3]), median(latencies[-3:])
    return abs(later - earlier) <= STABLE * earlier


def _has_enough(bench: Bench, record: Record, plan: Plan) -> bool:
    """Whether the windows suffice, or too many were disturbed for more to help."""
    if len(record.undisturbed) >= plan.windows:
        windows = record.undisturbed
    elif len(record.windows) >= 2 * plan.windows:
        # On a machine that is never quiet, waiting for quiet windows would use up every budget.
        windows = record.windows
    else:
        return False
    if plan.until is None:
        return True
    achieved = compute_precision(bench, windows)
    return achieved is not None and achieved <= plan.until


def compute_precision(bench: Bench, windows: list[Window]) -> float | None:
    """Return the half-width of the 95 % interval as a share of the energy, or of the latency.

    The latency counts only where no energy is measured; None if there is no interval.
    """
    error = 0.0
    if bench.meter.works:
        value, ends = mean_interval([sum((w.energy_j or {}).values()) / w.calls for w in windows])
        error = fmean(w.bound_age_error_j(bench.meter.ages_s) / w.calls for w in windows)
    else:
        value, ends = median_interval([w.latencies_s for w in windows])
    return ((ends[1] - ends[0]) / 2 + error) / value if ends and value else None


def _compute_progress(record: Record, plan: Plan, spent: float) -> float:
    """Return the share that is done, by windows or by time, whichever ends the run first."""
    # How many windows a precision takes is not known beforehand.
    made = len(record.undisturbed) / plan.windows if plan.until is None else 0.0
    return min(1.0, max(made, spent))


def _set_aside(record: Record, plan: Plan) -> None:
    """Mark disturbed windows as redone if there are enough others; note it either way."""
    disturbed = [window for window in record.windows if window.disturbances]
    if not disturbed:
        return
    reasons = _list_reasons(disturbed)
    if len(record.undisturbed) >= min(plan.windows, FEWEST_UNDISTURBED):
        record.windows = [replace(w, redone=bool(w.disturbances)) for w in record.windows]
        text = f"{_count_windows(len(disturbed))} disturbed and redone: {reasons}."
        record.notes.append(Note("windows-redone", text))
    else:
        # Figures of disturbed windows, named as such, are more use than none.
        text = (
            f"{_count_windows(len(disturbed))} disturbed and kept, since too few were undisturbed: "
            f"{reasons}."
        )
        record.notes.append(Note("disturbed", text, "warning"))


def _list_reasons(disturbed: list[Window]) -> str:
    """Name at most two of the distinct disturbances."""
    reasons = list(dict.fromkeys(text for window in disturbed for text in window.disturbances))
    shown = reasons[:2] + ["and similar"] * (len(reasons) > 2)  # noqa: PLR2004
    return "; ".join(shown)


def _count_windows(number: int) -> str:
    return f"{number} window{' was' if number == 1 else 's were'}"
