"""ONNX's own test models, one or more for each operator, which ship with the package."""

import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from inspect_cost import CostReport, count_onnx
from inspect_cost.counting.onnx.value import MOST_INTEGERS
from inspect_cost.values.errors import MeasurementError, UsageError

#: Operators of ONNX's newest opset whose cost depends on values or is in no textbook.
WITHOUT_A_COST = {"onnx.ImageDecoder", "onnx.NonMaxSuppression", "onnx.TfIdfVectorizer"}
#: Without a cost in some of their modes: cubic taps and reflecting edges.
SOMETIMES = {"onnx.GridSample"}
#: Inputs other than tensors, results whose length depends on values, a body that ONNX refuses.
REFUSED = ("optional", "unique", "string_split_empty", "scan_sum", "affine_grid", "range_")


@cache
def cases() -> Mapping[str, Any]:
    """Return name -> test case with its model and data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = pytest.importorskip("onnx.backend.test.case.node")
        return {c.name: c for c in node.collect_testcases(None) if c.model is not None}


def with_integers(case: Any) -> ModelProto | None:
    """Return the model with its small integer inputs stored in it, as shapes follow from them."""
    model = ModelProto()
    model.CopyFrom(case.model)
    given = case.data_sets[0][0]
    arrays = [np.asarray(x) for x in given if isinstance(x, np.ndarray | np.generic)]
    if len(arrays) != len(model.graph.input) or len(given) != len(arrays):
        return None
    entries = list(model.graph.input)
    del model.graph.input[:]
    for entry, array in zip(entries, arrays, strict=True):
        if array.dtype.kind in "iub" and array.size < MOST_INTEGERS:
            model.graph.initializer.append(numpy_helper.from_array(array, entry.name))
        else:
            model.graph.input.append(entry)
    return model


@cache
def reports() -> Mapping[str, CostReport]:
    """Return name -> count of each model that can be counted; errors other than ours propagate."""
    counted, refused = {}, []
    for name, case in cases().items():
        model = with_integers(case)
        try:
            counted[name] = count_onnx(model if model is not None else case.model)
        except UsageError as error:
            if model is not None:
                refused.append(f"{name}: {error}")
    unexpected = [line for line in refused if not any(word in line for word in REFUSED)]
    assert unexpected == []
    return counted


@pytest.mark.slow
def test_every_standard_operator_is_counted_or_listed() -> None:
    uncounted = {name for report in reports().values() for name in report.uncounted}
    standard = {name for name in uncounted if name.startswith("onnx.")}
    assert len(reports()) > 1700
    assert standard == WITHOUT_A_COST | SOMETIMES


def hide_inputs(model: ModelProto) -> ModelProto:
    """Return the model with every input made by an operator that nobody knows."""
    hidden = ModelProto()
    hidden.CopyFrom(model)
    makers = [
        helper.make_node("Make", ["source"], [e.name], domain="own") for e in model.graph.input
    ]
    del hidden.graph.input[:]
    del hidden.graph.node[:]
    hidden.graph.node.extend([*makers, *model.graph.node])
    hidden.graph.input.append(helper.make_tensor_value_info("source", TensorProto.FLOAT, [2]))
    hidden.opset_import.append(helper.make_operatorsetid("own", 1))
    return hidden


@pytest.mark.slow
def test_no_operator_refuses_a_file_whose_sizes_are_unknown() -> None:
    refused, uncounted = [], 0
    for name, case in cases().items():
        model = hide_inputs(case.model)
        try:
            uncounted += not count_onnx(model).complete
        except UsageError as error:
            if "in `trip_counts`" not in error.advice:
                refused.append(f"{name}: {error}")
    assert refused == []
    assert uncounted > 1700


@pytest.mark.slow
def test_an_operator_has_the_macs_of_what_it_is_defined_by() -> None:
    pairs = {name: name.partition("_expanded")[0] for name in reports() if "_expanded" in name}
    both = {name: plain for name, plain in pairs.items() if plain in reports()}
    assert len(both) > 350
    assert {n: reports()[n].macs for n in both} == {n: reports()[p].macs for n, p in both.items()}


#: Operators with MACs, of whose cases every result that onnxruntime executes is compared.
MULTIPLYING = ("conv", "matmul", "gemm", "einsum", "lstm", "gru", "simple_rnn", "attention", "loop")


def with_inputs(case: Any) -> tuple[ModelProto, dict[str, Any]] | None:
    """Return a case's model and its tensors; None if it has other inputs, too."""
    given, entries = case.data_sets[0][0], case.model.graph.input
    arrays = {e.name: x for e, x in zip(entries, given, strict=False) if hasattr(x, "dtype")}
    return (case.model, arrays) if len(arrays) == len(given) == len(entries) else None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("operator", MULTIPLYING)
def test_what_onnxruntime_executes_is_what_is_counted(operator: str) -> None:
    pytest.importorskip("onnxruntime")
    agreed = 0
    for name, case in cases().items():
        found = with_inputs(case) if name.startswith(f"test_{operator}") else None
        if found is None:
            continue
        try:
            report = count_onnx(found[0], inputs=found[1], verify=True)
        except MeasurementError:
            continue  # onnxruntime lacks a kernel
        codes = [note.code for note in report.notes]
        assert "run-differs" not in codes, (name, report.notes)
        agreed += "run-agrees" in codes
    assert agreed
