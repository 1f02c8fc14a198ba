"""The grammar of inputs: shapes and values, by names of any kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inspect_cost.calls.inputs import make_arguments, parse_input, parse_inputs
from inspect_cost.values.errors import UsageError

SHAPES: list[tuple[str, str | None, tuple[Any, ...], str]] = [
    ("1,3,224,224", None, (1, 3, 224, 224), "float32"),
    ("1x3x224x224", None, (1, 3, 224, 224), "float32"),
    ("ids=1,L:int64", "ids", (1, None), "int64"),
    ("ids=N,T", "ids", ("N", "T"), "float32"),
    ("x:0=5,8", "x:0", (5, 8), "float32"),
    ("input.1=5,8:float16", "input.1", (5, 8), "float16"),
    ("/enc/in-put_2:0=2", "/enc/in-put_2:0", (2,), "float32"),
    ("onnx::Conv_0=1e3", "onnx::Conv_0", (1000,), "float32"),
    ("a=b=4", "a=b", (4,), "float32"),
    ("flag=:bool", "flag", (), "bool"),
]
VALUES: list[tuple[str, str | None, Any, str]] = [
    ("sr=@16000", "sr", 16000, ""),
    ("x:0=@-1:int32", "x:0", -1, "int32"),
    ("mode=@[1,2,3]", "mode", [1, 2, 3], ""),
    ("m=@[[1,2],[3,4]]:float32", "m", [[1, 2], [3, 4]], "float32"),
    ("go=@true", "go", True, ""),
    ("go=@[True, False]", "go", [True, False], ""),
    ('text=@"a=b"', "text", "a=b", ""),
    ("options={}=@{'a': 1}", "options={}", {"a": 1}, ""),
    ("@1.5", None, 1.5, ""),
]


@pytest.mark.parametrize(("text", "name", "shape", "dtype"), SHAPES)
def test_shapes(text: str, name: str | None, shape: tuple[Any, ...], dtype: str) -> None:
    spec = parse_input(text)
    assert (spec.name, spec.shape, spec.dtype, spec.content) == (name, shape, dtype, None)


@pytest.mark.parametrize(("text", "name", "value", "dtype"), VALUES)
def test_values(text: str, name: str | None, value: Any, dtype: str) -> None:
    spec = parse_input(text)
    assert spec.content is not None
    assert (spec.name, spec.content.load(), spec.dtype) == (name, value, dtype)


@pytest.mark.parametrize(
    "text", ["=1,2", "x=1,,2", "1,-5", "x:0", "ids=1:int63", "x=@", "x=@abc", "x=@[1,2", "x=0,3"]
)
def test_what_is_neither(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_input(text)
    assert raised.value.field == "inputs"
    assert raised.value.advice


def test_values_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a:b=c.npy"
    np.save(path, np.arange(6).reshape(2, 3))
    (args, kwargs) = make_arguments(parse_inputs([f"ids=@{path}", f"@{path}:float32"]), None)
    assert kwargs["ids"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert kwargs["ids"].dtype == torch.int64
    assert args[0].dtype == torch.float32
    for missing in (tmp_path / "none.npy", tmp_path):
        with pytest.raises(UsageError, match=r"file|npy|inputs"):
            make_arguments(parse_inputs([f"ids=@{missing}"]), None)
    path.write_bytes(b"torn")
    with pytest.raises(UsageError, match="no array"):
        make_arguments(parse_inputs([f"ids=@{path}"]), None)


def test_arguments_of_a_forward_are_what_python_has_unless_a_type_is_given() -> None:
    args, kwargs = make_arguments(parse_inputs(["@[1,2]", "@[1,2]:int64", "go=@true"]), None)
    assert args[0] == [1, 2]
    assert torch.equal(args[1], torch.tensor([1, 2]))
    assert kwargs == {"go": True}
    given = parse_inputs({"x": np.ones((2, 3), np.float32), "n": 3})
    _, kwargs = make_arguments(given, None)
    assert kwargs["x"].shape == (2, 3)
    assert kwargs["n"] == 3


def test_named_axes_have_sizes_of_their_own() -> None:
    spec = parse_input("ids=N,L,T")
    assert spec.sizes(7, {"N": 2, "T": 5}) == (2, 7, 5)
    with pytest.raises(UsageError) as raised:
        spec.sizes(7, {"N": 2})
    assert raised.value.field == "axes"


@pytest.mark.parametrize("text", ["@[[1,2],[3]]:int64", "@[1,'a']:float32"])
def test_values_that_are_no_tensor(text: str) -> None:
    with pytest.raises(UsageError, match="no tensor"):
        make_arguments(parse_inputs([text]), None)
