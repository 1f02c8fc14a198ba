"""Generating audio from the command line."""

import wave
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import model_zoo
from tests.cli.conftest import Ran
from tests.model_zoo.fidelity import access_parts, load_fixture, relative_error

Run = Callable[..., Ran]

TINY = ("--set", "blocks=4", "--set", "channels=4", "--set", "flows=2")


def frames_of(path: Path) -> tuple[wave._wave_params, torch.Tensor]:
    with wave.open(str(path)) as file:
        params = file.getparams()
        data = bytearray(file.readframes(params.nframes))
    return params, torch.frombuffer(data, dtype=torch.int16)


def test_a_wav_of_the_asked_length(run: Run, tmp_path: Path) -> None:
    result = run("generate", "flowavenet", "-o", "out.wav", "--seconds", "0.1", *TINY)
    assert (result.code, result.out) == (0, "")
    assert "wrote out.wav: 2,205 samples at 22,050 Hz" in result.err
    assert "random" in result.err
    params, _ = frames_of(tmp_path / "out.wav")
    assert (params.nchannels, params.sampwidth, params.framerate) == (1, 2, 22_050)
    assert params.nframes == 2_205


def test_the_seed_decides(run: Run, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        run(
            "generate",
            "flowavenet",
            "-o",
            f"{name}.wav",
            "--input-len",
            "500",
            "--seed",
            seed,
            *TINY,
        )
    a, b, c = ((tmp_path / f"{name}.wav").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_published_weights_are_used(run: Run, tmp_path: Path, kind: str) -> None:
    published = load_fixture("flowavenet")
    path = tmp_path / f"weights.{kind}"
    state = {name: tensor.contiguous() for name, tensor in published["state_dict"].items()}
    if kind == "pt":
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    else:
        save_file(state, path)
    settings = {"mel_channels": 10, "blocks": 4, "flows": 2, "blocks_per_split": 2, "channels": 16}
    options = [word for k, v in settings.items() for word in ("--set", f"{k}={v}")]
    words = ("generate", "flowavenet", "-o", "out.wav", "--input-len", "512", "--seed", "5")
    result = run(*words, "--weights", str(path), *options)
    assert result.code == 0, result.err
    assert "random" not in result.err

    preset = model_zoo.preset("flowavenet")
    model = access_parts(preset.from_published(published["state_dict"], **settings))
    call = preset.call(preset.configuration(**settings), 512, "cpu", 5)
    expected = model.generate(**call.kwargs)[0, 0, :512]
    _, levels = frames_of(tmp_path / "out.wav")
    assert relative_error(levels / 32_767, expected.clamp(-1, 1)) < 1e-4


def test_the_zoos_own_names_work_too(run: Run, tmp_path: Path) -> None:
    settings = {"blocks": 4, "channels": 4, "flows": 2}
    torch.save(model_zoo.build("flowavenet", **settings).state_dict(), tmp_path / "own.pt")
    words = ("generate", "flowavenet", "-o", "out.wav", "--input-len", "300")
    assert run(*words, "--weights", "own.pt", *TINY).code == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:.*TorchScript")
def test_archives_of_code_are_refused_without_advice_to_trust_them(run: Run) -> None:
    torch.jit.trace(torch.nn.Linear(1, 1), torch.zeros(1)).save("code.pt")
    result = run("generate", "wavegan", "-o", "a.wav", "--weights", "code.pt")
    assert result.code == 2
    assert "holds something other than tensors" in result.err
    assert "weights_only" not in result.err


MISTAKES = [
    ("flowavnet -o a.wav", "did you mean flowavenet"),
    ("flowavenet", "output"),
    ("flowavenet -o no/where.wav", "there is no folder"),
    ("flowavenet -o a.wav --seconds 0", "not a duration"),
    ("flowavenet -o a.wav --seconds 1e9", "not a duration"),
    ("flowavenet -o a.wav --input-len 1e12", "not a duration"),
    ("flowavenet -o a.wav --seconds 1 --input-len 5", "say the same thing"),
    ("flowavenet -o a.wav --weights none.pt", "there is no file none.pt"),
    ("flowavenet -o a.wav --weights net.py", "net.py cannot be read as weights"),
    ("flowavenet -o a.wav --weights other.pt --set blocks=1", "the checkpoint lacks blocks.0"),
    ("flowavenet -o a.wav --weights code.pt", "code.pt cannot be read as weights"),
    ("flowavenet -o a.wav --weights list.pt", "list.pt does not hold tensors by name"),
    ("wavegan -o a.wav --weights small.pt", "has tensors of another shape"),
    ("flowavenet -o a.wav --set flows=3", "flows must be even"),
    ("flowavenet -o a.wav --set affine=no", "affine must be true or false"),
    ("wavegan -o a.wav --weights numbered.pt", "numbered.pt does not hold tensors by name"),
    ("wavegan -o a.wav --weights odd.pt", "odd.pt does not hold tensors by name"),
    ("wavegan -o a.wav --weights meta.pt --set dim=1", "without dense real numbers in them"),
    ("wavegan -o a.wav --weights nan.pt --set dim=1", "generated values that are not finite"),
    (f"wavegan -o a.wav --set dim=1 --seed {2**64}", "--seed"),
    ("wavegan -o a.wav --set dim=1 --seed=-1", "--seed: -1 is below 0"),
]


class Code:
    """What an untrusted checkpoint could run."""

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return (print, ("run!",))


@pytest.mark.parametrize(("words", "complaint"), MISTAKES, ids=[words for words, _ in MISTAKES])
def test_mistakes(run: Run, tmp_path: Path, words: str, complaint: str) -> None:
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pt")
    torch.save(Code(), tmp_path / "code.pt")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    small = model_zoo.build("wavegan", dim=1).state_dict()
    torch.save(small, tmp_path / "small.pt")
    torch.save({k: tensor.to("meta") for k, tensor in small.items()}, tmp_path / "meta.pt")
    torch.save({k: tensor * torch.nan for k, tensor in small.items()}, tmp_path / "nan.pt")
    torch.save({1: torch.zeros(1)}, tmp_path / "numbered.pt")
    torch.save({"state_dict": 3}, tmp_path / "odd.pt")
    result = run("generate", *words.split())
    assert result.code == 2
    assert complaint in result.err
    assert "run!" not in result.out
    assert not list(tmp_path.glob("*.wav"))
