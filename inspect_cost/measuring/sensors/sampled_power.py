"""Energy of a device that reports power only: samples of it, integrated in the background."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from inspect_cost.measuring.sensors.protocol import SensorError

SAMPLE_S = 0.02
#: After a longer gap between samples the integral is a guess, and the window has to be redone.
LONGEST_GAP_S = 0.5


@dataclass
class SampledPowerSensor:
    """The integral of power, by the trapezoidal rule; see `EnergySensor` for the attributes.

    A thread samples from the first reading on, until `close` or the end of the process; each
    reading takes a sample of its own, so that it is exact to the moment.

    Attributes:
        power_w: reads the present power; raises `SensorError` if it cannot be read.
        spoiled: describes what else disturbs a window.
    """

    power_w: Callable[[], float]
    spoiled: Callable[[], str | None]
    domain: str
    source: str
    device: str
    period_s: float = 0.1
    recommended_window_s: float = 2.0
    range_j: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _closed: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)
    _last: tuple[float, float] | None = field(default=None, repr=False)
    _energy_j: float = 0.0
    _gap_s: float = 0.0

    def read_j(self) -> float:
        """Return joules since the first reading.

        Raises:
            SensorError: the power cannot be read.
        """
        energy_j = self._take_sample()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self.source, daemon=True)
            self._thread.start()
        return energy_j

    def disturbance(self) -> str | None:
        """Return what disturbed the time since the last call, or None.

        It is a gap between samples, or what the device itself reports.
        """
        with self._lock:
            gap_s, self._gap_s = self._gap_s, 0.0
        if gap_s > LONGEST_GAP_S:
            return f"{self.source}: no sample was taken for {gap_s:.2g} s"
        return self.spoiled()

    def close(self) -> None:
        """Stop the thread."""
        self._closed.set()
        if self._thread:
            self._thread.join()

    def _take_sample(self) -> float:
        with self._lock:
            power_w, now = self.power_w(), time.monotonic()
            if self._last:
                before, power_before_w = self._last
                self._energy_j += (power_before_w + power_w) / 2 * (now - before)
                self._gap_s = max(self._gap_s, now - before)
            self._last = now, power_w
            return self._energy_j

    def _run(self) -> None:
        while not self._closed.wait(SAMPLE_S):
            try:
                self._take_sample()
            except SensorError:
                continue  # the next reading fails too, and reports it
