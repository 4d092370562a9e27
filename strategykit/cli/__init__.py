"""The command line: arguments and exit codes. Every command has a module; what they do is done elsewhere."""

from strategykit.cli.app import main

__all__ = ["main"]
