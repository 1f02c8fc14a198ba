"""Assertions in `prove` are explained like those in the tests."""

import pytest

pytest.register_assert_rewrite("tests.formulas.proof")
