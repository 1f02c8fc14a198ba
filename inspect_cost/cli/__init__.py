"""The command line: parse, call, render, exit code. One file per command, no arithmetic."""

from inspect_cost.cli.app import main

__all__ = ["main"]
