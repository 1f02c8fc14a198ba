"""Counters that are files of sysfs: reading one number, or explaining why it cannot be read."""

import os
from pathlib import Path

from inspect_cost.measuring.sensors.protocol import SensorError
from inspect_cost.values.units import MICRO

#: Bytes; enough for any counter of 64 bits.
LONGEST = 64
ATTEMPTS = 3


def read_count(path: Path) -> int:
    """Return the whole number in a file.

    The file is opened each time: that takes 7 us instead of 2 us, but a descriptor that was kept
    open would go on returning the last value of a zone that was removed or replaced.

    Raises:
        OSError: it cannot be read.
        ValueError: it does not hold a whole number.
    """
    for _ in range(ATTEMPTS - 1):
        # A writer that is not the kernel may have truncated the file before it writes.
        if content := _read_bytes(path).strip():
            return int(content)
    return int(_read_bytes(path))


def _read_bytes(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, LONGEST)
    finally:
        os.close(descriptor)


def read_counter_j(path: Path, source: str) -> float:
    """Read a counter that is in microjoules, and return joules.

    Raises:
        SensorError: it is gone, cannot be read, or does not hold a number; the message
            names the file.
    """
    try:
        return read_count(path) * MICRO
    except FileNotFoundError:
        raise SensorError(f"{source} has disappeared: {path} no longer exists") from None
    except OSError as error:
        raise SensorError(f"{source}: cannot read {path}: {error.strerror}") from error
    except ValueError:
        raise SensorError(f"{source}: {path} does not hold a whole number") from None
