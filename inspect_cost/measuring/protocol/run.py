"""The protocol: a cold call, a warm one, a warm-up, then windows until there are enough."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import ceil
from statistics import fmean, median

from inspect_cost.measuring.protocol.pace import SHORTEST_CALL_S, WRONG, Pace
from inspect_cost.measuring.protocol.stopping import Stopping
from inspect_cost.measuring.protocol.time_limit import TimeLimitError, can_limit, time_limit
from inspect_cost.measuring.protocol.window import Bench, Window
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
#: A warm-up makes at least two calls to plan by, and one for each stretch.
WARM_UP_CALLS = 2 + WARM_UP_STRETCHES
STRETCH_S = 0.05
#: A stretch is timed in so many parts, to notice calls that have become much slower.
PARTS = 10
#: A run is stopped this share of the budget late, if a call outlasts it.
OVERRUN = 0.2
#: A window is cut when it has lasted this many times as long as planned.
CUT = 3.0
#: Plans that are tried until a first window fits its own.
MOST_PLANS = 5
#: Windows that are dropped, later, for being far too short.
MOST_DROPPED = 3
FEWEST_TO_DROP = 5
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
        first: the first call, which is cold; None before it is over, and of a block.
        dropped: windows whose plan proved wrong.
    """

    windows: list[Window] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    interrupted: bool = False
    warmed_up: bool = False
    per_sample: int = 1
    first: Window | None = None
    dropped: int = 0

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
        if record.first is None:
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
    record.first = bench.measure_window(1, 1, 0.0)
    first_s = record.first.duration_s
    deadline = max(deadline, _run_interlude(after_first, first_s, deadline, plan, now))
    second = _try_second(bench, plan, record, first_s, deadline)
    if second is None:
        return
    record.windows, record.warmed_up = [second], True
    deadline = max(deadline, _excuse_cold(first_s - second.duration_s, deadline, plan, now))
    try:
        # An alarm in the midst of a call is a last resort, where a look at the clock between calls
        # comes too late: a call as long as the first is let finish.
        with time_limit(deadline + OVERRUN * plan.budget_s + first_s - now()):
            _run_windows(bench, plan, record, progress, deadline)
    except TimeLimitError:
        text = "A call outlasted the time given, and was stopped; windows before it count."
        record.notes.append(Note("stopped-call", text, "warning"))


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


def _excuse_cold(excess_s: float, deadline: float, plan: Plan, now: Callable[[], float]) -> float:
    """Return the deadline if windows keep half the budget however much the first call took."""
    return min(deadline + excess_s, now() + plan.budget_s / 2)


def _try_second(
    bench: Bench, plan: Plan, record: Record, first_s: float, deadline: float
) -> Window | None:
    """Make the second call, which may be as slow as the first; None if it has to be stopped."""
    now = bench.clock.now
    limit_s = deadline + OVERRUN * plan.budget_s + first_s - now()
    why = "there was no time for a second"
    if now() + first_s <= deadline or (can_limit() and limit_s > 0):
        try:
            with time_limit(limit_s):
                return bench.measure_window(1, 1, plan.window_s * IDLE_SHARE)
        except TimeLimitError:
            why = f"a second was stopped after {limit_s:.3g} s"
    text = (
        f"No latency: only a first call was made, in {first_s:.3g} s, which may be slower than "
        f"others; {why}. Give more `measure_time_s`."
    )
    record.notes.append(Note("first-call-only", text, "warning"))
    return None


def _run_windows(
    bench: Bench, plan: Plan, record: Record, progress: Progress, deadline: float
) -> None:
    """Measure windows; those of a plan that proved wrong are dropped, and the plan is remade."""
    pace, stopping = _find_pace(bench, plan, record, deadline), Stopping(plan.until)
    while pace:
        enough = _has_enough(bench, record, plan, stopping)
        spent = 1 - (deadline - bench.clock.now()) / plan.budget_s
        progress(_compute_progress(record, plan, stopping, spent))
        window = None if enough else _measure_next(bench, plan, record, pace, deadline)
        if window is None:
            return
        wrong = pace.was_wrong_for(window)
        _add(record, plan, window, wrong=wrong)
        pace = pace.after(window) if wrong else pace


def _add(record: Record, plan: Plan, window: Window, *, wrong: bool) -> None:
    """Add a window to the record, unless its plan proved wrong and it is far too short."""
    enough_s = plan.window_s / WRONG
    if len(record.windows) == 1 and (wrong or record.windows[0].duration_s < enough_s):
        record.windows = [window]  # the one before had no better plan
        record.dropped += 1
        return
    # Of few calls, all may be fast by chance, and dropping them would favour slow ones.
    surely = wrong and len(window.latencies_s) >= FEWEST_TO_DROP
    if surely and window.duration_s < enough_s and record.dropped < MOST_DROPPED:
        record.dropped += 1
        return
    record.windows.append(window)


def _find_pace(bench: Bench, plan: Plan, record: Record, deadline: float) -> Pace | None:
    """Return a plan that a window has kept to, and that window in the record; None without time."""
    (second,) = record.windows
    pace, warm = Pace(plan.window_s, second.duration_s), False
    for _ in range(MOST_PLANS):
        if not warm and pace.latency_s * WARM_UP_CALLS <= WARM_UP_SHARE * plan.budget_s:
            pace, warm = Pace(plan.window_s, _warm_up(bench, plan, record, pace.latency_s)), True
        window = _measure_next(bench, plan, record, pace, deadline, shorter=True)
        if window is None:
            return None
        wrong = pace.was_wrong_for(window)
        # A second call that is a whole window, and like the next one, is as good as that.
        alike = pace.calls == 1 and not Pace(plan.window_s, second.duration_s).was_wrong_for(window)
        record.windows = [second, window] if alike and not wrong else [window]
        pace = pace.after(window)
        if not wrong:
            return pace
        record.dropped += 1
    return pace


def _measure_next(
    bench: Bench, plan: Plan, record: Record, pace: Pace, deadline: float, *, shorter: bool = False
) -> Window | None:
    """Measure one more window, if there is time for it, or for part of it if ``shorter``."""
    if plan.random_delay_s:
        bench.clock.sleep(random.uniform(0, plan.random_delay_s))  # noqa: S311 - no secret
    now = bench.clock.now()
    whole = WHOLE if bench.meter.works else 1.0  # without counters no window needs idle time
    fitting = int((deadline - now) / (pace.call_s * pace.per_sample * whole))
    # A shorter window would be less precise than the others, and they all weigh the same. Only the
    # first may be shorter: one short window is better than none.
    if fitting < (1 if shorter else pace.groups):
        return None
    groups = min(pace.groups, fitting)
    duration_s = groups * pace.per_sample * pace.call_s
    record.per_sample = pace.per_sample
    latest = deadline + OVERRUN * plan.budget_s - now
    return bench.measure_window(
        groups * pace.per_sample,
        pace.per_sample,
        duration_s * IDLE_SHARE,
        now + min(CUT * duration_s + duration_s * IDLE_SHARE, latest),
    )


def _warm_up(bench: Bench, plan: Plan, record: Record, call_s: float) -> float:
    """Call until the latency is stable, and return it; the call before took ``call_s``."""
    now, limit_s = bench.clock.now, WARM_UP_SHARE * plan.budget_s
    ends = now() + limit_s
    # Stretches of equal length, long enough that one slow call does not decide.
    single_s = median([call_s, *bench.time_calls(2, 1, ends)])
    calls = ceil(STRETCH_S / max(single_s, SHORTEST_CALL_S))
    stretches: list[float] = []
    while now() < ends:
        stretches.append(fmean(bench.time_calls(calls, ceil(calls / PARTS), ends)))
        if is_stable(stretches):
            break
    else:
        text = f"Latency was not yet stable when the warm-up ended, after {limit_s:.3g} s."
        record.notes.append(Note("unstable-latency", text, "warning"))
    return median(stretches[-3:]) if stretches else single_s


def is_stable(latencies: list[float]) -> bool:
    """Whether the last three stretches are as fast as the three before them."""
    if len(latencies) < WARM_UP_STRETCHES:
        return False
    # Medians, since one stretch may be slow for a reason of its own.
    earlier, later = median(latencies[-6:-3]), median(latencies[-3:])
    return abs(later - earlier) <= STABLE * earlier


def _has_enough(bench: Bench, record: Record, plan: Plan, stopping: Stopping) -> bool:
    """Whether the windows suffice, or too many were disturbed for more to help."""
    if len(record.undisturbed) >= plan.windows:
        windows = record.undisturbed
    elif len(record.windows) >= 2 * plan.windows:
        # On a machine that is never quiet, waiting for quiet windows would use up every budget.
        windows = record.windows
    else:
        return False
    return stopping.is_satisfied(windows, energy=bench.meter.works, ages_s=bench.meter.ages_s)


def _compute_progress(record: Record, plan: Plan, stopping: Stopping, spent: float) -> float:
    """Return the share that is done, by windows or by time, whichever ends the run first."""
    # How many windows a precision takes is not known beforehand.
    endless = stopping.until is not None or stopping.goes_on
    made = 0.0 if endless else len(record.undisturbed) / plan.windows
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
