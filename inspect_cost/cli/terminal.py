"""Text, files, progress and exit codes of commands."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inspect_cost.values.errors import UsageError

OK, FAILED, USAGE, NO_SENSOR, FAULT, INTERRUPTED = 0, 1, 2, 3, 70, 130


@contextmanager
def progress_bar(task: str, *, still: bool = False) -> Iterator[Callable[[float], None]]:
    """Show progress on standard error if that is a terminal; yield the function that advances it.

    Args:
        task: shown before the bar.
        still: redraw only when progress is reported; drawing takes time and energy, and would
            disturb a measurement.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(
        console=console, transient=True, disable=hidden, auto_refresh=not still
    ) as progress:
        bar = progress.add_task(task, total=1)
        yield lambda done: progress.update(bar, completed=done, refresh=still)


def check_writable(output: Path | None) -> None:
    """Refuse a file that could not be written, before anything is computed.

    Raises:
        UsageError: its folder does not exist, it is a folder, or permission is denied.
    """
    if output is None:
        return
    folder = output.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"cannot write {output}: there is no folder {folder}", "Create it first.")
    if output.is_dir():
        raise UsageError(f"cannot write {output}: it is a folder", "Name a file.")
    if not os.access(output if output.exists() else folder, os.W_OK):
        raise UsageError(f"cannot write {output}: permission denied", "Choose another place.")


def write(text: str, output: Path | None = None) -> None:
    """Write text to standard output, or to a file, all at once.

    Raises:
        UsageError: it cannot be written.
        BrokenPipeError: the reader of standard output has stopped reading.
    """
    if output is not None:
        write_bytes((text + "\n").encode(), output)
        return
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        close_output()
        raise UsageError(
            f"cannot write to standard output: {error.strerror}", "Choose another place."
        ) from error


def close_output() -> None:
    """Discard what is left in the buffer of standard output, and whatever follows."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_bytes(content: bytes, output: Path) -> None:
    """Write a file all at once, so that an error leaves the old one in place.

    Raises:
        UsageError: it cannot be written.
    """
    # A device or a pipe must be written to directly; a file is replaced once it is complete.
    special = output.exists() and not output.is_file()
    partial = output if special else output.with_name(f".{output.name}.partial")
    try:
        partial.write_bytes(content)
        if not special:
            partial.replace(output)
    except OSError as error:
        if not special:
            partial.unlink(missing_ok=True)
        raise UsageError(
            f"cannot write {output}: {error.strerror}", "Choose another place."
        ) from error


def log(message: str) -> None:
    """Report on standard error what was done."""
    print(message, file=sys.stderr)


def warn(message: str, advice: str = "") -> None:
    """Report on standard error what is wrong, and what to do."""
    print(f"inspect-cost: {message}", file=sys.stderr)
    if advice:
        print(advice, file=sys.stderr)


def end_sentence(sentence: str) -> str:
    """Return the sentence with a full stop, unless it has an end already."""
    return sentence if sentence.endswith((".", "?", "!")) else sentence + "."
