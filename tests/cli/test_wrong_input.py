"""A user's mistake gets one sentence, what to do next, and exit code 2; never a traceback."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inspect_cost.cli.app import VERBS
from inspect_cost.values.errors import InspectCostError
from tests.cli.conftest import Ran

Run = Callable[..., Ran]

MISTAKES = [
    ("flowavnet", "did you mean flowavenet?"),
    ("nothing", "no model is called 'nothing'"),
    ("net.py", "net.py alone names no model"),
    ("missing.py:Net", "there is no file missing.py"),
    ("net.py:Nett", "Its modules are Net, Unknown, Deciding"),
    ("net.py:CONSTANT", "neither a class nor a function but int"),
    ("net.py:number", "returned int, not a torch.nn.Module"),
    ("net.py:broken", "raised RuntimeError: no weights here"),
    ("net.py:needy", "It needs width"),
    ("faulty.py:Net", "cannot be imported: ModuleNotFoundError: No module named 'nothing_of"),
    ("no.such.module:Net", "cannot be imported: ModuleNotFoundError"),
    ("net.py:Net", "It takes ids, scale (optional)"),
    ("net.py:Net --input other=1,5:int64", "missing a required argument: 'ids'"),
    ("net.py:Net --input 1,5", "failed in embed: RuntimeError: Expected tensor for argument"),
    ("net.py:Unknown --input 1,5", "failed in linear: RuntimeError"),
    ("net.py:Unknown --input 1,5", "The inputs were: (1, 5)"),
    ("net.py:Net --input 1,L:int64", "there is no --input-len"),
    ("net.py:Net --input 1,-5", "not of the form [name=]SHAPE[:dtype]"),
    ("net.py:Net --input 1,0", "0 is not between 1 and 10^15"),
    ("net.py:Net --input 1,5:int65", "no data type 'int65'"),
    ("net.py:Net --input 1,5:int64 --set a=1", "--set is for presets"),
    ("flowavenet --input 1,5", "flowavenet makes its own inputs"),
    ("flowavenet --input-len 0", "0 is not between 1 and 10^15"),
    ("flowavenet --input-len -5", "-5 is not between 1 and 10^15"),
    ("flowavenet --input-len 10^16", "10^16 is not between 1 and 10^15"),
    ("flowavenet --input-len many", "'many' is not a whole number"),
    ("flowavenet --input-lenn 5", "Did you mean --input-len?"),
    ("flowavenet --format yaml", "Choose from"),
    ("flowavenet --depth deep", "--depth: 'deep' is not a whole number"),
    ("flowavenet --depth -1", "--depth: -1 is below 0"),
    ("wavegan --batch 2.7", "--batch: '2.7' is not a whole number"),
    ("flowavenet --set layers", "is not NAME=VALUE"),
    ("flowavenet --set layer=3", "there is no setting 'layer'; there are mel_channels"),
    ("flowavenet --set flows=3", "flows must be even"),
    ("flowavenet --set flows=six", "--set"),
    ("flowavenet -o no/such/folder.json", "there is no folder"),
    ("flowavenet -o .", "it is a folder"),
    ("flowavenet extra", "extra"),
]


@pytest.mark.parametrize(("words", "complaint"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistakes(run: Run, words: str, complaint: str) -> None:
    result = run(*words.split())
    assert result.code == 2
    assert result.out == ""
    assert complaint in result.err
    assert "Traceback" not in result.err
    first, *rest = result.err.splitlines()
    assert first.startswith("inspect-cost: ")
    assert rest, "it says what to do next"


def test_nothing_is_left_of_a_file_that_cannot_be_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "report.json").write_text("before")
    monkeypatch.setattr(Path, "replace", full)
    result = run("flowavenet", "--format", "json", "-o", "report.json")
    assert result.code == 2
    assert "No space left on device" in result.err
    assert (tmp_path / "report.json").read_text() == "before"
    assert not list(tmp_path.glob(".*partial"))


def test_an_interrupt_ends_cleanly(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_words: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inspect_cost.engine.inspecting.inspect_subject", interrupted)
    result = run("flowavenet")
    assert (result.code, result.out, result.err) == (130, "", "inspect-cost: interrupted.\n")


def test_a_fault_of_ours_is_said_to_be_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object) -> None:
        raise ZeroDivisionError("division by zero\nsomewhere")

    monkeypatch.setattr("inspect_cost.engine.inspecting.inspect_subject", faulty)
    result = run("flowavenet")
    assert (result.code, result.out) == (70, "")
    assert "an unexpected ZeroDivisionError: division by zero.\n" in result.err
    assert "fault of inspect-cost" in result.err
    with pytest.raises(ZeroDivisionError):
        run("flowavenet", "--debug")


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_says_what_it_does_and_points_to_its_own_help(run: Run, verb: str) -> None:
    (line,) = [line for line in run("--help").out.splitlines() if f"│ {verb} " in line]
    assert len(line.strip("│ ").removeprefix(verb).split()) > 2
    assert f"See inspect-cost {verb} --help." in run(verb, "--no-such-option").err


def test_nothing_prints_the_help_and_exits_as_wrong_input(run: Run) -> None:
    result = run()
    assert (result.code, result.err) == (2, "")
    assert "--debug" in result.out
    assert result.out == run("--help").out


def test_debug_lets_the_traceback_through(run: Run) -> None:
    with pytest.raises(InspectCostError, match="did you mean"):
        run("flowavnet", "--debug")


def test_help_answers_without_torch_and_names_every_option() -> None:
    script = (
        "import sys; from inspect_cost.cli import main; code = main(['--help']);"
        "sys.exit(code or 10 * ('torch' in sys.modules))"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for text in ("--input-len", "--input", "--set", "--depth", "--format", "Examples:", "zoo"):
        assert text in done.stdout


def test_a_reader_that_stops_early_is_no_error() -> None:
    command = [sys.executable, "-m", "inspect_cost", "conventions"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()  # before anything is written
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_standard_output_that_is_full() -> None:
    command = [sys.executable, "-m", "inspect_cost", "carbon", "--gpu", "P100", "--hours", "3"]
    with Path("/dev/full").open("w") as full:
        found = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own interpreter
    assert found.returncode == 2
    assert found.stderr.splitlines() == [
        "inspect-cost: cannot write to standard output: No space left on device.",
        "Choose another place.",
    ]


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        ("croscheck flowavenet", "did you mean crosscheck?"),
        ("doctr", "did you mean doctor?"),
        ("measure flowavenet", "no command is called 'measure'"),
        ("flowavenet sing", "inspect-cost rank flowavenet sing"),
        ("a.json b.json", "inspect-cost rank a.json b.json"),
        ("net.py:Net --input 1 5", "--input 1,3,8,8"),
    ],
)
def test_commands_that_are_none_are_told_from_models(run: Run, words: str, suggestion: str) -> None:
    done = run(*words.split())
    assert (done.code, done.out) == (2, "")
    assert suggestion in done.err
