"""What a command says and leaves behind: text, files, progress, exit codes."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inspect_cost.values.errors import UsageError

OK, FAILED, USAGE, NO_SENSOR, FAULT, INTERRUPTED = 0, 1, 2, 3, 70, 130


@contextmanager
def progress_bar(task: str, *, still: bool = False) -> Iterator[Callable[[float], None]]:
    """Show progress on standard error, where that is a terminal; yields what to tell it.

    One that is still is redrawn only when it is told something: drawing takes time and energy.
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
    """Refuse a file that could not be written, before anything is computed."""
    if output is None:
        return
    folder = output.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"cannot write {output}: there is no folder {folder}", "Make it first.")
    if output.is_dir():
        raise UsageError(f"cannot write {output}: it is a folder", "Name a file.")
    if not os.access(output if output.exists() else folder, os.W_OK):
        raise UsageError(f"cannot write {output}: permission denied", "Choose another place.")


def write(text: str, output: Path | None = None) -> None:
    """To standard output, or all at once to a file."""
    if output is not None:
        write_bytes((text + "\n").encode(), output)
        return
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise  # the reader has seen enough
    except OSError as error:
        close_output()
        raise UsageError(
            f"cannot write to standard output: {error.strerror}", "Choose another place."
        ) from error


def close_output() -> None:
    """Nothing is left to say; what is in the buffer goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def write_bytes(content: bytes, output: Path) -> None:
    """All at once to a file."""
    # A device or a pipe is written to; a file is replaced once all of it is there.
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


def say(message: str) -> None:
    """To standard error: what was done."""
    print(message, file=sys.stderr)


def complain(message: str, advice: str = "") -> None:
    """To standard error: what is wrong, and what to do."""
    print(f"inspect-cost: {message}", file=sys.stderr)
    if advice:
        print(advice, file=sys.stderr)


def ended(sentence: str) -> str:
    """The sentence with a full stop."""
    return sentence if sentence.endswith((".", "?", "!")) else sentence + "."
