"""The application: its commands, and how errors end."""

import sys
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from itertools import takewhile

from cyclopts import App, CycloptsError, UnusedCliTokensError

from inspect_cost import __version__
from inspect_cost.cli.carbon import carbon
from inspect_cost.cli.conventions import conventions
from inspect_cost.cli.crosscheck import crosscheck
from inspect_cost.cli.doctor import doctor
from inspect_cost.cli.explain import explain
from inspect_cost.cli.export import export
from inspect_cost.cli.generate import generate
from inspect_cost.cli.help import ParagraphFormatter
from inspect_cost.cli.inspect import inspect
from inspect_cost.cli.law import law
from inspect_cost.cli.paper import paper
from inspect_cost.cli.rank import rank
from inspect_cost.cli.terminal import (
    FAULT,
    INTERRUPTED,
    OK,
    USAGE,
    close_output,
    end_sentence,
    warn,
)
from inspect_cost.cli.wording import spell_options
from inspect_cost.cli.zoo import zoo
from inspect_cost.values.errors import InspectCostError, UsageError

HELP = """Report what one inference of a PyTorch model costs: counted exactly, measured, and ranked.

MODEL is a preset (inspect-cost zoo lists them), package.module:ClassOrFactory,
path/to/file.py:ClassOrFactory, or model.onnx. The second and the third run your code.
"""

DEBUG = "With --debug anywhere, an error prints its traceback."
EPILOGUE = f"""Examples:
  inspect-cost flowavenet --input-len 16000
  inspect-cost flowavenet --set layers=3 --depth 3 --exact --no-measure
  inspect-cost net.py:make_model --input ids=1,L:int64 --input mask=1,L --input-len 512
  inspect-cost explain net.py:Net conv1 --input 1,3,224,224
  inspect-cost model.onnx --input x=1,80,L --input-len 512 --format json -o model.json
  inspect-cost wavegan --backend eager,compile,onnxruntime --measure-time 1m
  inspect-cost rank wavegan sing flowavenet --cost params,macs_per_s --quality mos_ratio
  inspect-cost rank net.py:Net model.onnx --input 1,80,64 --cost params,macs
  inspect-cost carbon --gpu "4 x P100" --hours 12+10+30
  inspect-cost generate wavegan -o clip.wav --seconds 1 --seed 7

Exit codes:
  0 done; 1 failed a check (--strict, or an export that differs); 2 wrong input;
  3 no energy measured (--require-energy); 70 a fault of inspect-cost; 130 interrupted

{DEBUG}
"""

#: Name of a command -> its function, which imports what is heavy when it runs.
VERBS: Mapping[str, Callable[..., int]] = {
    "law": law,
    "explain": explain,
    "crosscheck": crosscheck,
    "export": export,
    "generate": generate,
    "rank": rank,
    "carbon": carbon,
    "paper": paper,
    "doctor": doctor,
    "zoo": zoo,
    "conventions": conventions,
}

#: Usage of commands that take several names, which cyclopts calls [ARGS...].
USAGES: Mapping[str, str] = {
    "explain": "inspect-cost explain [OPTIONS] MODEL PATH",
    "law": "inspect-cost law [OPTIONS] MODEL...",
    "rank": "inspect-cost rank [OPTIONS] SOURCE...",
}
COMMANDS = f"Commands are {', '.join(VERBS)}; without one, the first word is a model."

app = App(
    name="inspect-cost",
    help=HELP,
    help_epilogue=EPILOGUE,
    help_format="plaintext",
    help_formatter=ParagraphFormatter(),
    usage="inspect-cost [OPTIONS] MODEL\n       inspect-cost COMMAND ...",
    version=__version__,
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # main() reports it
)
app.default(inspect)
for word, function in VERBS.items():
    app.command(function, name=word, help_epilogue=DEBUG + "\n", usage=USAGES.get(word))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    No traceback escapes, unless ``--debug`` is anywhere among the arguments.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        return run([word for word in words if word != "--debug"])
    except InspectCostError as error:
        if debug:
            raise
        warn(end_sentence(spell_options(str(error))), spell_options(error.advice))
        return USAGE
    except KeyboardInterrupt:
        warn("interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, a pager) has stopped reading, so nothing more can be written.
        close_output()
        return OK
    except Exception as error:
        if debug:
            raise
        first_line = str(error).partition("\n")[0]
        warn(
            end_sentence(f"an unexpected {type(error).__name__}: {first_line}"),
            "This is a fault of inspect-cost: run it with --debug, and report what it prints.",
        )
        return FAULT


def run(tokens: list[str]) -> int:
    """Parse the command line and run its command; return the exit code.

    Raises:
        UsageError: it cannot be parsed.
        InspectCostError: the command fails.
    """
    if not tokens:
        app.help_print()
        return USAGE
    check_verb(tokens)
    try:
        result = app(tokens, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        left = " ".join(error.unused_tokens or ())
        raise UsageError(
            f"unexpected argument {left!r}",
            "An option takes one value: write sizes with commas, such as --input 1,3,8,8, and "
            f"quote values that contain spaces. See {help_command(tokens)}.",
        ) from error
    except CycloptsError as error:
        raise UsageError(str(error), f"See {help_command(tokens)}.") from error
    sys.stdout.flush()
    return result if isinstance(result, int) else OK


def help_command(tokens: Sequence[str]) -> str:
    """Return the command that prints help on what was tried."""
    return f"inspect-cost {tokens[0]} --help" if tokens[0] in VERBS else "inspect-cost --help"


def check_verb(tokens: Sequence[str]) -> None:
    """Refuse a mistyped command, and several models where one is expected.

    Raises:
        UsageError: suggests what was probably meant.
    """
    word, *others = tokens
    if word in VERBS or word.startswith("-"):
        return
    names = list(takewhile(lambda other: not other.startswith("-"), others))
    if near := get_close_matches(word.lower(), VERBS, n=1, cutoff=0.75):
        raise UsageError(f"no command is called {word!r}; did you mean {near[0]}?", COMMANDS)
    if names and word.isalpha() and not is_claimed(word):
        raise UsageError(f"no command is called {word!r}", COMMANDS)
    if names:
        raise UsageError(
            f"one model is inspected at a time, and {len(names) + 1} are named",
            f"To compare them, write: inspect-cost rank {' '.join([word, *names])}.",
        )


def is_claimed(word: str) -> bool:
    """Return whether a word has the form of a model's name: of a preset, a file, or an object."""
    from inspect_cost.subjects import KINDS

    return any(kind.claims(word) for kind in KINDS)
