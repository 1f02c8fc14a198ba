"""When windows suffice: enough of them, unlike their neighbours, or as precise as asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean
from types import MappingProxyType

from inspect_cost.measuring.protocol.latency import estimate_typical
from inspect_cost.measuring.protocol.series import SeriesMean, estimate_mean
from inspect_cost.measuring.protocol.window import Window

#: A precision is looked at again when there are this many times as many windows.
LOOKS = 1.25
#: Where neighbours may be alike, this many times as many windows are enough.
MORE = 5
#: Intervals narrower than this share of what was asked for are so by more than luck.
SURE = 0.5
#: Counters whose age does not matter.
NO_AGES: Mapping[str, float] = MappingProxyType({})


@dataclass
class Stopping:
    """Decides whether a run's windows suffice, at few looks.

    Attributes:
        until: half-width of the 95 % interval to reach, as a share of the value; None for none.
        goes_on: many more windows are made, since neighbours may be alike.
        next_look: number of windows at which to look again.
        was_precise: whether the precision was reached at the last look.
    """

    until: float | None
    goes_on: bool = False
    next_look: int = 0
    was_precise: bool = False

    def is_satisfied(
        self, windows: Sequence[Window], *, energy: bool, ages_s: Mapping[str, float] = NO_AGES
    ) -> bool:
        """Return whether windows that are enough in number suffice.

        Args:
            windows: those that count.
            energy: whether their energy is measured, and not their latency alone.
            ages_s: by domain, of the counters.
        """
        if self.until is not None:
            return self._is_precise(windows, self.until, energy, ages_s)
        if not self.next_look:  # one look only: more would let a lucky one stop the run
            self.next_look = MORE * len(windows)
            self.goes_on = any(map(_is_suspect, list_series(windows, energy=energy)))
        return not self.goes_on or len(windows) >= self.next_look

    def _is_precise(
        self, windows: Sequence[Window], until: float, energy: bool, ages_s: Mapping[str, float]
    ) -> bool:
        """Return whether the precision is reached, now and at the look before.

        An interval that is narrow once may be so by luck, and stopping then would keep the luck.
        Looks are few, and the windows between two of them confirm the first.
        """
        if len(windows) < self.next_look:
            return False
        achieved = compute_precision(windows, energy=energy, ages_s=ages_s)
        if achieved is None:
            return False
        precise = achieved <= until
        confirmed = precise and (self.was_precise or achieved <= SURE * until)
        self.was_precise, self.next_look = precise, ceil(LOOKS * len(windows))
        return confirmed


def _is_suspect(mean: SeriesMean) -> bool:
    return mean.correlation is not None and mean.correlation.is_suspect


def list_series(windows: Sequence[Window], *, energy: bool) -> list[SeriesMean]:
    """Return the means of windows' energies, if they are measured, and of typical latencies."""
    spacing_s = compute_spacing_s(windows)
    typical = estimate_typical([window.latencies_s for window in windows], spacing_s)
    latency = SeriesMean(typical.value_s, typical.ci95, typical.correlation)
    energies_j = [sum(w.energy_j.values()) / w.calls for w in windows if energy and w.energy_j]
    return [estimate_mean(energies_j, spacing_s), latency] if energies_j else [latency]


def compute_spacing_s(windows: Sequence[Window]) -> float:
    """Return the mean time from the start of one window to that of the next; 0 if unknown."""
    starts = [window.started_s for window in windows if window.started_s is not None]
    if len(starts) < max(2, len(windows)):
        return 0.0
    return (starts[-1] - starts[0]) / (len(starts) - 1)


def compute_precision(
    windows: Sequence[Window], *, energy: bool, ages_s: Mapping[str, float] = NO_AGES
) -> float | None:
    """Return the half-width of the 95 % interval as a share of the energy, or of the latency.

    The latency counts only where no energy is measured; None if there is no interval.
    """
    found = list_series(windows, energy=energy)[0]
    ends = found.ci95
    if not ends or not found.value:
        return None
    error_j = fmean(w.bound_age_error_j(ages_s) / w.calls for w in windows) if energy else 0.0
    return ((ends[1] - ends[0]) / 2 + error_j) / found.value
