"""`measure_block`: a block of the user's own code as one window."""

from dataclasses import replace
from typing import Any, Self

import torch

from inspect_cost.calls.call import Call
from inspect_cost.calls.devices import find_device
from inspect_cost.measuring.measure import (
    AnySensors,
    choose_sensors,
    list_missing_sensors,
    make_plan,
)
from inspect_cost.measuring.measurement import Measurement
from inspect_cost.measuring.protocol.disturbance import ForeignLoad, read_foreign_cpu_s
from inspect_cost.measuring.protocol.meter import Meter
from inspect_cost.measuring.protocol.run import IDLE_SHARE, Plan, Record
from inspect_cost.measuring.protocol.summary import summarize
from inspect_cost.measuring.protocol.window import Bench, Window, Work
from inspect_cost.measuring.sensors.protocol import Sensors
from inspect_cost.values.notes import Note


def measure_block(
    *, device: str | torch.device = "cpu", sensors: AnySensors | None = None
) -> "Block":
    """Return a context manager that measures a block of your own code.

    The block is one window with idle time on both sides, and so has no confidence interval.
    Afterwards ``block`` has what a `Measurement` has: ``block.energy_j``, ``block.latency_s``.

    Args:
        device: does the work; a CUDA device is synchronised at both ends.
        sensors: energy counters to read; by default all that this machine has.
    """
    place = find_device(device)
    return Block(place, choose_sensors(sensors, place), read_foreign_cpu_s)


class Block:
    """A user's block of code as one window; see `measure_block`.

    Attributes:
        measurement: of the block; None until it is over.
    """

    measurement: Measurement | None = None

    def __init__(self, device: torch.device, found: Sensors, foreign: ForeignLoad) -> None:
        self._device, self._found = device, found
        self._meter = Meter(found.usable)
        nothing = Call(lambda: None, device=device)
        work = Work(nothing.run, nothing.synchronize)
        self._bench = Bench(work, self._meter, foreign=foreign)
        self._plan = make_plan(device.type, None, None, 1, None, self._meter)
        self._idle_s = self._plan.window_s * IDLE_SHARE

    def __enter__(self) -> Self:
        self._bench.work.synchronize()
        self._meter.busy_until_s = self._bench.clock.now()
        self._start = self._bench.open_window(self._idle_s)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        idle_s = 0.0 if kind else self._idle_s
        window = self._bench.close_window(self._start, 1, (), idle_s)
        summary = _summarize_window(window, self._meter, self._plan)
        self._meter.close()
        self.measurement = replace(
            summary,
            notes=(*list_missing_sensors(self._found), *summary.notes),
            device=str(self._device),
            threads=torch.get_num_threads(),
            partial=kind is not None,
        )

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the measurement, once there is one."""
        if self.measurement is None:
            raise AttributeError(f"{name}: the block is not over yet")
        return getattr(self.measurement, name)


def _summarize_window(window: Window, meter: Meter, plan: Plan) -> Measurement:
    record = Record([window], [], warmed_up=True)
    summary = summarize(record, meter, plan)
    notes = [*summary.notes]
    untold = [text for text in window.disturbances if not any(text in note for note in notes)]
    if untold:
        text = f"The block was disturbed: {'; '.join(untold)}."
        notes.append(Note("disturbed", text, "warning"))
    text = "One block, no confidence interval: repeat it, or measure a function of it."
    return replace(summary, notes=(*notes, Note("one-block", text)))
