"""What a user names: every kind does every job that makes sense for it, and refuses the others."""

import pickle

import pytest

from inspect_cost.calls.inputs import parse_input
from inspect_cost.counting.options import CountOptions
from inspect_cost.subjects import KINDS, Conditions, Request, Subject, resolve, resolve_all
from inspect_cost.values.errors import Unsupported, UsageError
from inspect_cost.values.identity import AUDIO

#: MACs of one call of each kind: (2, 3) times (3, 5); WaveGAN's are published.
MACS = {"net": 2 * 3 * 5, "product": 2 * 3 * 5, "wavegan": 847_052_800}


def open_subject(kind: str, net: str, product: str) -> Subject:
    if kind == "net":
        return resolve(net, inputs=["2,3"])
    if kind == "product":
        return resolve(product, inputs=["x=2,3", "w=3,5"])
    return resolve(kind)


def copy_by_pickle(subject: Subject) -> Subject:
    copied: Subject = pickle.loads(pickle.dumps(subject))  # noqa: S301 - our own bytes
    return copied


@pytest.fixture(params=MACS)
def named(request: pytest.FixtureRequest, net: str, product: str) -> tuple[str, Subject]:
    return request.param, open_subject(request.param, net, product)


def test_every_kind_is_counted(named: tuple[str, Subject]) -> None:
    kind, subject = named
    (phase,) = subject.phases
    assert subject.count(phase, CountOptions()).macs == MACS[kind]


def test_every_kind_can_be_pickled_before_and_after_it_is_asked(
    named: tuple[str, Subject],
) -> None:
    _, subject = named
    again = copy_by_pickle(subject)
    assert again == subject
    assert again.phases == subject.phases
    assert copy_by_pickle(subject) == subject


def test_every_kind_makes_a_call_with_values(named: tuple[str, Subject]) -> None:
    kind, subject = named
    phase = subject.phases[0]
    call = subject.call(phase, Conditions(threads=1))
    assert call.by_torch == (kind != "product")
    workload = subject.workload(phase, Conditions(threads=1))
    assert workload.native_backend == ("onnxruntime" if kind == "product" else "eager")
    assert workload.output == phase.output


def test_what_an_onnx_file_cannot_do_it_refuses(product: str) -> None:
    subject = resolve(product, inputs=["2,3", "3,5"])
    (phase,) = subject.phases
    for refused in (
        lambda: subject.law(phase, CountOptions()),
        lambda: subject.peer_call(phase),
        lambda: subject.count(phase, CountOptions(backward=True)),
        lambda: subject.call(phase, Conditions(dtype="float16")),
    ):
        with pytest.raises(Unsupported) as error:
            refused()
        assert error.value.advice


def test_audio_is_an_output_in_units() -> None:
    (phase,) = resolve("flowavenet", input_len=16_000, batch=2).phases
    output = phase.output
    assert output is not None
    assert (output.unit, output.amount, output.requested) == (AUDIO, 2 * 16_128, 2 * 16_000)
    assert output.units == 2 * 16_128 / 22_050


@pytest.mark.parametrize(
    ("name", "given", "field"),
    [
        ("wavegan", {"inputs": ["1,3"]}, "inputs"),
        ("wavegan", {"trip_counts": {"loop": 1}}, "trip_counts"),
        ("net.py:Net", {"settings": {"a": 1}}, "settings"),
        ("net.py:Net", {"trip_counts": {"loop": 1}}, "trip_counts"),
        ("m.onnx", {"settings": {"a": 1}}, "settings"),
        ("m.onnx", {"batch": 2}, "batch"),
    ],
)
def test_parameters_that_make_no_sense_for_a_kind(
    name: str, given: dict[str, object], field: str
) -> None:
    with pytest.raises(Unsupported) as error:
        resolve(name, **given)  # type: ignore[arg-type]  # one of several types
    assert error.value.field == field
    assert error.value.advice


@pytest.mark.parametrize("name", ["", "wavegn", "net.py", "model.pt", "resnet50", "a/b"])
def test_names_of_nothing_list_every_kind(name: str) -> None:
    with pytest.raises(UsageError) as error:
        resolve(name)
    if not name.endswith(".py"):
        assert all(kind.written in error.value.advice for kind in KINDS)


def test_what_the_name_is_comes_before_what_is_wrong_with_its_options() -> None:
    with pytest.raises(UsageError, match="did you mean wavegan"):
        resolve("wavegn", inputs=["1,3"])


def test_several_subjects_take_what_fits_each(net: str) -> None:
    request = Request("", inputs=(parse_input("2,3"),), settings={"channels": 32})
    own, preset = resolve_all([net, "wavegan"], request)
    assert own.phases[0].description == "forward of (2, 3)"
    assert preset.identity.settings == {"channels": 32}


def test_an_option_that_fits_none_of_several_is_refused(net: str) -> None:
    request = Request("", settings={"channels": 32})
    with pytest.raises(Unsupported) as error:
        resolve_all([net, net], request)
    assert error.value.field == "settings"
