"""Tests of the table of ATen rules, and a test that every formula is proved."""

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.ao.quantization.fx._decomposed  # registers operators

from inspect_cost import formulas
from inspect_cost.counting.torch.aten.free import free
from inspect_cost.counting.torch.aten.table import ATEN_RULES, FAMILIES, merge
from inspect_cost.values.cost import OpCost
from tests.torchvision_operators import NAMESPACE, SCHEMAS

FAMILY_NAMES = [module.name for module in pkgutil.iter_modules(formulas.__path__)]


#: Libraries whose operators are known by their names alone; their own tests are beside them.
OTHERS = {"bitsandbytes"}
OF_TORCH = [key for key in ATEN_RULES if key.partition(".")[0] not in OTHERS]


@pytest.mark.parametrize("key", OF_TORCH)
def test_each_key_names_an_operator_of_torch(key: str) -> None:
    namespace, name, *overload = key.split(".")
    if namespace == NAMESPACE and not hasattr(torch.ops.torchvision, name):
        assert f"\n{name}(" in SCHEMAS  # where torchvision is not installed
        return
    operator = getattr(getattr(torch.ops, namespace), name)
    assert not overload or overload[0] in operator.overloads()


def test_no_operator_has_two_rules() -> None:
    assert len(ATEN_RULES) == sum(len(family) for family in FAMILIES)


def test_a_second_rule_for_an_operator_is_refused() -> None:
    with pytest.raises(ValueError, match=r" aten\.mm$"):
        merge(({"aten.mm": free, "aten.bmm": free}, {"aten.mm": free}))


def test_forms_that_work_in_place_cost_what_the_plain_ones_do() -> None:
    in_place = {key: key.removesuffix("_") for key in ATEN_RULES if key.endswith("_")}
    differing = [
        key
        for key, plain in in_place.items()
        if plain in ATEN_RULES and ATEN_RULES[key] is not ATEN_RULES[plain]
    ]
    assert not differing


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_each_public_formula_is_in_a_proof(family: str) -> None:
    """A proof names a formula, as ``formula.matmul``, in the test of its family or of others."""
    public = find_formulas(importlib.import_module(f"{formulas.__name__}.{family}"))
    tests = Path(__file__).parent.glob(f"test_{family}*.py")
    proved = set().union(*(find_uses(test.name, "formula") for test in tests))
    for test in ("test_policies.py", "test_regions.py"):
        proved |= find_uses(test, family)
    assert public
    assert not public - proved


def find_uses(test: str, module: str) -> set[str]:
    """Find the names that a test file uses of a module that it imports under ``module``."""
    tree = ast.parse((Path(__file__).parent / test).read_text())
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == module
    }


def find_formulas(module: ModuleType) -> set[str]:
    """Find the public functions and costs that a module defines itself."""
    body = ast.parse(inspect.getsource(module)).body
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    assigned = {
        target.id
        for node in body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    costs = {name for name in assigned if isinstance(getattr(module, name), OpCost)}
    return {name for name in functions | costs if not name.startswith("_")}


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "naive").glob("*.py")), ids=str)
def test_references_know_no_formula(path: Path) -> None:
    imported = {
        node.module
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert not [name for name in imported if name and name.startswith("inspect_cost")]
