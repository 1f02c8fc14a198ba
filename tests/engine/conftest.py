"""The models of the tests of subjects."""

from tests.subjects.conftest import net, product

__all__ = ["net", "product"]
