"""Counters that are files of sysfs: reading one number, and saying why it cannot be read."""

import os
from pathlib import Path

from inspect_cost.measuring.sensors.protocol import SensorError

MICRO = 1e-6
#: Enough for any counter of 64 bits.
LONGEST = 64
ATTEMPTS = 3


def read_count(path: Path) -> int:
    """The whole number in a file.

    The file is opened each time: 7 us instead of 2 us with a kept descriptor, which would go on
    reading the last value of a zone that was removed or replaced.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no whole number.
    """
    for _ in range(ATTEMPTS - 1):
        # A writer that is not the kernel may have truncated the file before it writes.
        if content := _content(path).strip():
            return int(content)
    return int(_content(path))


def _content(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, LONGEST)
    finally:
        os.close(descriptor)


def counter_j(path: Path, source: str) -> float:
    """A counter in microjoules, in joules.

    Raises:
        SensorError: it is gone, cannot be read, or holds no number; the message names the file.
    """
    try:
        return read_count(path) * MICRO
    except FileNotFoundError:
        raise SensorError(f"{source} has disappeared: there is no {path} any more") from None
    except OSError as error:
        raise SensorError(f"{source}: cannot read {path}: {error.strerror}") from error
    except ValueError:
        raise SensorError(f"{source}: {path} holds no whole number") from None
