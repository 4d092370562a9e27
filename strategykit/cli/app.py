"""The program ``strategykit``: its commands, and what becomes of every error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Final

from cyclopts import App, CycloptsError

from strategykit.cli._screen import FAILURE, OK, USAGE, tell
from strategykit.errors import ConfigError, StrategyError, StrategykitError

__all__ = ["build_app", "explain", "main"]

_HELP: Final = "Trading strategies as structured concurrency: live, simulated and replayed with the same code."

_COMMANDS: Final = (
    "demo",
    "new",
    "record",
    "relay",
    "sim",
    "venues",
    "instruments",
    "tape",
    "report",
    "orders",
    "kill",
    "doctor",
    "run",
    "replay",
    "parity",
    "lookahead",
    "sweep",
)
"""In the order of the help; each is a module of its own."""

_BY_STRATEGY: Final = ("run", "replay", "lookahead", "sweep")
"""Those whose flags are the parameters of the strategy that is named."""

_EXAMPLES: Final = """\
Examples:
  strategykit demo
  strategykit new my_strategy
  strategykit sim alor --port 8900
  strategykit run sample:cross --url http://127.0.0.1:8900 --instrument SBER

Every command has --help, and --json where it prints tables.
--debug shows where an error comes from.
Exit codes: 0 all is well, 1 something failed, 2 the command line or a file
is wrong."""


def build_app(tokens: Sequence[str] = ()) -> App:
    """Make the program; `tokens` decide which strategy's parameters are flags of `run`, `replay` and `lookahead`.

    Raises:
        StrategyError: The strategy file that `tokens` name can't be used.
    """
    app = App(
        name="strategykit",
        help=_HELP,
        help_epilogue=_EXAMPLES,
        help_format="plaintext",
        version=version("strategykit"),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    # Whoever names a command waits for that one alone to load.
    for name in tokens[:1] if tokens and tokens[0] in _COMMANDS else _COMMANDS:
        module = import_module(f"strategykit.cli.{name}")
        if name in _BY_STRATEGY:
            module.register(app, tokens)
        else:
            module.register(app)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and give the exit code.

    Args:
        argv: Arguments after the program's name; None: the process's own.
    """
    tokens = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in tokens
    tokens = [token for token in tokens if token != "--debug"]  # noqa: S105 - no password: a flag
    try:
        code = build_app(tokens)(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output has had enough, as `head` does. Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except BaseException as exc:
        if debug or isinstance(exc, SystemExit | GeneratorExit):
            raise
        return explain(exc)
    return code if isinstance(code, int) else OK


def explain(error: BaseException) -> int:
    """Tell what went wrong, a line a mistake, and give the exit code that it deserves."""
    causes = list(_leaves(error))
    if any(isinstance(cause, KeyboardInterrupt) for cause in causes):
        tell("interrupted")
        return FAILURE
    for line in dict.fromkeys(_words(cause) for cause in causes):
        tell(line)
    usage = (CycloptsError, ConfigError, StrategyError)
    return USAGE if all(isinstance(cause, usage) for cause in causes) else FAILURE


def _words(error: BaseException) -> str:
    if isinstance(error, StrategykitError):
        return str(error) or type(error).__name__
    if isinstance(error, CycloptsError):
        return " ".join(f"{error} (--help says more)".split())
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    first = str(error).partition("\n")[0]
    return f"a bug of strategykit: {type(error).__name__}: {first}; --debug shows where"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
