"""The public names: one table, from which all else follows."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

import inspect_cost


def typed_imports() -> dict[str, str]:
    """The imports for type checkers: each name, and where it comes from."""
    tree = ast.parse(Path(inspect_cost.__file__).read_text(encoding="utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in ast.walk(blocks[0]) if isinstance(node, ast.ImportFrom)]
    aliases = [(alias, str(node.module)) for node in imports for alias in node.names]
    assert all(alias.name == alias.asname for alias, _ in aliases)
    return {alias.name: home for alias, home in aliases}


def test_type_checkers_see_the_names_of_the_table() -> None:
    assert typed_imports() == inspect_cost.PUBLIC


@pytest.mark.parametrize("name", inspect_cost.PUBLIC)
def test_a_public_name_is_what_its_home_defines(name: str) -> None:
    home = inspect_cost.PUBLIC[name]
    value = getattr(inspect_cost, name)
    assert value is getattr(import_module(home), name)
    assert value.__module__ == home


def test_all_and_dir_have_every_name() -> None:
    assert set(inspect_cost.__all__) == inspect_cost.PUBLIC.keys() <= set(dir(inspect_cost))
    with pytest.raises(AttributeError, match="no attribute 'cuont'"):
        getattr(inspect_cost, "cuont")  # noqa: B009 - a type checker would refuse it
