"""The command line, run in a folder with a user's models."""

from tests.cli.conftest import run

__all__ = ["run"]
