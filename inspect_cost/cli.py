"""The command line: parse, call, render, exit code."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter

from inspect_cost import __version__
from inspect_cost.errors import InspectCostError, UsageError

if TYPE_CHECKING:
    from model_zoo import Preset

OK, UNCOUNTED, USAGE, INTERRUPTED = 0, 1, 2, 130
MOST_SAMPLES = 2**31 // 2  # of 16 bits, in the 32-bit sizes of a WAV file

HELP = """What one inference of a PyTorch model costs: parameters, MACs and FLOPs, counted exactly.

MODEL is a preset of the zoo (inspect-cost zoo lists them), package.module:ClassOrFactory, or
path/to/file.py:ClassOrFactory. The last two run your code.
"""

EPILOGUE = """Examples:
  inspect-cost flowavenet --input-len 16000
  inspect-cost flowavenet --set layers=3 --depth 3 --exact
  inspect-cost torch.nn:Identity --input 1,3,224,224
  inspect-cost net.py:make_model --input ids=1,L:int64 --input mask=1,L --input-len 512
  inspect-cost flowavenet --format json -o flowavenet.json
  inspect-cost generate wavegan -o clip.wav --seconds 1 --seed 7

Exit codes: 0 done, 1 uncounted operators under --strict, 2 wrong input, 130 interrupted.
"""

app = App(
    name="inspect-cost",
    help=HELP,
    help_epilogue=EPILOGUE,
    help_format="plaintext",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # main() says that it was interrupted
)

Flag = Parameter(negative="", show_default=False)


@app.default
def inspect(
    model: str,
    /,
    *,
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    inputs: Annotated[list[str] | None, Parameter(name="--input", negative="")] = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
    depth: int = 2,
    exact: Annotated[bool, Flag] = False,
    format: Literal["table", "json"] = "table",  # noqa: A002 - the option's name
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    no_measure: Annotated[bool, Flag] = False,
    strict: Annotated[bool, Flag] = False,
) -> int:
    """Count what one inference of a model costs.

    Parameters
    ----------
    model
        A preset's name, package.module:ClassOrFactory, or path/to/file.py:ClassOrFactory.
    input_len
        Samples to generate (a preset: one second unless given), or the L in a shape.
    inputs
        [name=]SHAPE[:dtype] of an input of your own model; repeat it for several.
    settings
        NAME=VALUE: a preset's setting to differ from the published one; repeat it for several.
    depth
        Levels of the module tree to show.
    exact
        Whole numbers in the module tree, instead of SI prefixes.
    format
        What to write: a table to read, or JSON with everything in it.
    output
        File to write to, instead of standard output.
    no_measure
        Only count; never run the model to measure it.
    strict
        Exit with 1 if any operator has no known cost.
    """
    del no_measure  # a promise that already holds: this version only counts
    check_writable(output)
    report = inspected(model, input_len, inputs or [], settings or [])

    from inspect_cost.reports import RENDERERS, View

    to_screen = output is None and sys.stdout.isatty()
    color = to_screen and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns if to_screen else 100
    view = View(depth=depth, exact=exact, width=width, color=color)
    write(RENDERERS[format](report, view), output)
    if report.count.uncounted and strict:
        complain(f"uncounted under --strict: {', '.join(report.count.uncounted)}.")
        return UNCOUNTED
    return OK


def inspected(
    model: str, input_len: str | None, inputs: Sequence[str], settings: Sequence[str]
) -> Any:
    """The report on a preset or on a user's own model."""
    length = parsed_option("--input-len", input_len)
    own = ":" in model
    preset = None if own else named_preset(model)
    if own and settings:
        raise UsageError("--set is for presets of the zoo", "Set it in your factory instead.")
    if not own and inputs:
        raise UsageError(
            f"{model} makes its own inputs", "Give --input-len for its length, and no --input."
        )
    overrides = dict(map(parsed_setting, settings))
    with without_garbage_collection():
        from inspect_cost import inputs as specs
        from inspect_cost import inspection

        if preset:
            return inspection.inspected_preset(preset, length, overrides)
        return inspection.inspected_model(model, [specs.parsed_input(i) for i in inputs], length)


def parsed_option(option: str, text: str | None) -> int | None:
    """A length that was given as an option, or None."""
    from inspect_cost.units import parsed_length

    try:
        return None if text is None else parsed_length(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", "Give a whole number of samples.") from None


def named_preset(model: str) -> "Preset":
    """The preset of that name, or what to say of a MODEL that is none and names no code."""
    import model_zoo

    if model.endswith((".py", ".onnx")):
        raise UsageError(f"{model} alone names no model", "Give path/to/file.py:ClassOrFactory.")
    try:
        return model_zoo.preset(model)
    except model_zoo.UnknownModelError as error:
        raise UsageError(
            str(error.args[0]), "For a model of your own, give module:Class or file.py:Class."
        ) from None


def parsed_setting(text: str) -> tuple[str, Any]:
    """NAME=VALUE with the value as a Python literal, or as text."""
    from ast import literal_eval

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise UsageError(f"--set {text!r} is not NAME=VALUE", "Write, for example, layers=3.")
    try:
        return name, literal_eval(value.capitalize() if value in {"true", "false"} else value)
    except (ValueError, SyntaxError):
        return name, value


@app.command
def generate(
    model: str,
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    seconds: float | None = None,
    input_len: Annotated[str | None, Parameter(name="--input-len")] = None,
    seed: int = 0,
    weights: Path | None = None,
    settings: Annotated[list[str] | None, Parameter(name="--set", negative="")] = None,
) -> int:
    """Generate audio with a model of the zoo, into a WAV file.

    Parameters
    ----------
    model
        A preset's name.
    output
        The WAV file to write, 16-bit PCM.
    seconds
        How much audio; one second unless given.
    input_len
        The same in samples.
    seed
        Of the noise, and of the weights where none are given.
    weights
        A .safetensors file, or one of torch.save that holds tensors only, under the names of the
        published implementation; random weights, and so noise, unless given.
    settings
        NAME=VALUE: a setting to differ from the published one; repeat it for several.
    """
    preset = named_preset(model)
    samples = requested_samples(seconds, input_len, preset.sample_rate)
    overrides = dict(map(parsed_setting, settings or []))
    check_writable(output)

    from inspect_cost.generation import generated, wav_bytes

    with progress_bar(f"generating with {preset.title}") as progress:
        audio = generated(
            preset, samples, seed=seed, weights=weights, settings=overrides, progress=progress
        )
    write_bytes(wav_bytes(audio, preset.sample_rate), output)
    noise = "" if weights else " The weights are random, and so it is noise: see --weights."
    say(f"wrote {output}: {samples:,} samples at {preset.sample_rate:,} Hz.{noise}")
    return OK


def requested_samples(seconds: float | None, input_len: str | None, sample_rate: int) -> int:
    """Samples to generate, from whichever of the two was given."""
    if seconds is not None and input_len is not None:
        raise UsageError("--seconds and --input-len say the same thing", "Give one of them.")
    if seconds is None:
        samples: float = parsed_option("--input-len", input_len) or sample_rate
    else:
        samples = seconds * sample_rate
    if not 0 < samples <= MOST_SAMPLES:
        raise UsageError(
            f"{samples / sample_rate:g} s is not a duration that fits into a WAV file",
            "Give more than 0 and less than half a day.",
        )
    return max(1, round(samples))


@contextmanager
def progress_bar(task: str) -> Iterator[Callable[[float], None]]:
    """Show progress on standard error, where that is a terminal; yields what to tell it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(task, total=1)
        yield lambda done: progress.update(bar, completed=done)


@app.command
def zoo() -> int:
    """List the presets of the model zoo."""
    import textwrap

    import model_zoo

    for preset in model_zoo.PRESETS.values():
        lines = (
            f"{preset.title}: {preset.paper}",
            f"generates {preset.generates}, at {preset.sample_rate:,} Hz",
            f"{preset.params:,} parameters; published: {preset.reported_params}",
            f"deviations: {preset.deviations}",
        )
        indented = (
            textwrap.fill(line, 96, initial_indent="    ", subsequent_indent="        ")
            for line in lines
        )
        write("\n".join((preset.name, *indented)))
    return OK


@app.command
def conventions() -> int:
    """Print what each number means."""
    import textwrap

    from inspect_cost.conventions import CONVENTIONS

    for topic, text in CONVENTIONS.items():
        write(
            f"{topic}\n" + textwrap.fill(text, 92, initial_indent="    ", subsequent_indent="    ")
        )
    return OK


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
    if output is None:
        print(text)
    else:
        write_bytes((text + "\n").encode(), output)


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


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """No search for cyclic garbage meanwhile: a count makes next to none, and each walks torch."""
    import gc

    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is returned, and no traceback escapes.

    ``--debug`` anywhere among the arguments lets tracebacks through.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        return run([word for word in words if word != "--debug"])
    except InspectCostError as error:
        if debug:
            raise
        complain(ended(str(error)), error.advice)
        return USAGE
    except KeyboardInterrupt:
        complain("interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, a pager) has seen enough; nothing is left to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK


def run(tokens: list[str]) -> int:
    """Parse and call; errors of parsing are the user's."""
    if not tokens:
        app.help_print()
        return USAGE
    try:
        result = app(tokens, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        raise UsageError(str(error), "See inspect-cost --help.") from error
    sys.stdout.flush()
    return result if isinstance(result, int) else OK


def ended(sentence: str) -> str:
    """The sentence with a full stop."""
    return sentence if sentence.endswith((".", "?", "!")) else sentence + "."
