"""The type that is asked for is counted: as a model that was cast, called with cast inputs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import inspect_cost
from inspect_cost import Call, CostReport, UsageError
from inspect_cost.cli.app import main

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float64": torch.float64}


class Mixed(nn.Module):
    """Floats of a batch norm and a recurrence, integers of a table, complex numbers of a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(10, 3)
        self.tied = nn.Linear(3, 10, bias=False)
        self.tied.weight = self.table.weight
        self.lstm = nn.LSTM(3, 5, batch_first=True)
        self.norm = nn.BatchNorm1d(4)
        self.out = nn.utils.parametrizations.weight_norm(nn.Linear(5, 2))
        self.register_buffer("turn", torch.ones(2, dtype=torch.complex64))

    def forward(self, tokens: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        h, _ = self.lstm(self.table(tokens) + x)
        return self.out(self.norm(h)), self.tied(x)


def make_inputs() -> tuple[Tensor, Tensor]:
    return torch.zeros(2, 4, dtype=torch.int64), torch.zeros(2, 4, 3)


def count_call(call: Call, dtype: str) -> CostReport:
    return inspect_cost.inspect(call, measure=False, dtype=dtype).count


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_call_counts_as_the_cast_model_does(dtype: str) -> None:
    model, (tokens, x) = Mixed(), make_inputs()
    kind = DTYPES[dtype]
    cast = Mixed()
    cast.turn, turn = torch.zeros(0), cast.turn  # torch's own cast would make it real
    cast = cast.to(kind)
    cast.turn = turn
    assert count_call(Call.of(model, tokens, x), dtype) == inspect_cost.count(
        cast, tokens, x.to(kind)
    )
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_a_function_and_its_modules_are_cast() -> None:
    layer, x = nn.Linear(4, 3), torch.zeros(2, 4)
    report = count_call(Call.of(lambda x: layer(x).relu(), x), "bfloat16")
    assert report.param_bytes == 2 * 15
    assert report.peak_activation_bytes == 2 * 2 * 2 * 3
    assert report.input_bytes == 2 * 8
    assert layer.weight.dtype is torch.float32


def test_a_run_on_real_values_is_cast_too() -> None:
    class Routed(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            y = super().forward(x)
            return y * 2 if y.sum().item() > 9 else y

    model = Routed(4, 4)
    report = count_call(Call.of(model, torch.zeros(2, 4)), "bfloat16")
    assert report.param_bytes == 2 * 20
    assert report.macs == 32
    assert model.weight.dtype is torch.float32


@pytest.mark.parametrize("name", ["wavegan", "samplernn-2tier"])  # counted in full, and by law
def test_presets(name: str) -> None:
    single = inspect_cost.inspect(name, measure=False)
    half = inspect_cost.inspect(name, measure=False, dtype="bfloat16")
    assert half.count.macs == single.count.macs
    assert half.count.param_bytes * 2 == single.count.param_bytes
    assert half.count.bytes_moved < 0.51 * single.count.bytes_moved
    assert half.standing is not None


def test_a_law_is_of_the_type(net: str) -> None:
    report = inspect_cost.inspect(
        net, inputs=["L,3"], input_len=2, law=True, measure=False, dtype="bfloat16"
    )
    assert report.law is not None
    assert report.law.report(1000).param_bytes * 2 == report.law.report(1000).params * 4


@pytest.mark.parametrize("target", ["wavegan", Call.of(nn.Linear(3, 5), torch.zeros(2, 3))])
@pytest.mark.parametrize("dtype", ["fp16", "int8", "", "nn"])
def test_a_wrong_name_is_refused_where_nothing_is_measured(target: str | Call, dtype: str) -> None:
    with pytest.raises(UsageError) as error:
        inspect_cost.inspect(target, measure=False, dtype=dtype)
    assert error.value.field == "dtype"


def test_onnx_files_have_their_own_types(product: str) -> None:
    with pytest.raises(UsageError) as error:
        inspect_cost.inspect(product, inputs=["x=2,3"], measure=False, dtype="float16")
    assert error.value.field == "dtype"


def read_parameter_bytes(capsys: pytest.CaptureFixture[str], run: Callable[[], int]) -> str:
    assert run() == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if "Parameters" in x)
    return " ".join(line.split())


def test_the_command_line_counts_the_type(net: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = [net, "--input", "2,3", "--no-measure", "--dtype"]
    assert read_parameter_bytes(capsys, lambda: main([*command, "bfloat16"])).endswith("bfloat16")
    assert main([*command, "fp16"]) == 2
    assert "--dtype fp16" in capsys.readouterr().err


def test_the_command_line_refuses_it_for_onnx(
    product: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Path(product).exists()
    assert main([product, "--input", "x=2,3", "--no-measure", "--dtype", "float16"]) == 2
    assert "--dtype" in capsys.readouterr().err
