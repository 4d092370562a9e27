"""A strategy's parameters as flags of the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final

import cyclopts
from cyclopts import Group

from strategykit.runtime.load import SAMPLE, Parameter, load_strategy, strategy_parameters
from strategykit.strategy import Strategy

__all__ = ["about", "add_parameters", "named_strategy"]

_PREFIX: Final = "strategy_"
"""Tells a strategy's parameters from the command's own."""

_METAVARS: Final[dict[Any, str]] = {int: "INT", float: "NUMBER", Decimal: "NUMBER", str: "TEXT"}


def named_strategy(tokens: Sequence[str], command: str) -> type[Strategy] | None:
    """Give the strategy whose file `tokens` name, if they are for `command`.

    Raises:
        StrategyError: The file can't be used.
    """
    if list(tokens[:1]) != [command]:
        return None
    named = [token for token in tokens[1:] if token.endswith(".py") or token.startswith(SAMPLE)]
    return load_strategy(named[0]) if named else None


def add_parameters(command: Callable[..., int], cls: type[Strategy] | None) -> Callable[..., int]:
    """Give `command` with the parameters of `cls` as flags.

    `command` takes what was given of them in its argument ``params``: texts, and bools for switches.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [item for item in signature.parameters.values() if item.name != "params"]
    taken = {item.name.strip("_") for item in own}
    flags = [] if cls is None else [_flag(parameter, cls, taken) for parameter in strategy_parameters(cls)]

    def run(*args: Any, **options: Any) -> int:
        given = {name: options.pop(name) for name in list(options) if name.startswith(_PREFIX)}
        params = {name.removeprefix(_PREFIX): value for name, value in given.items() if value is not None}
        return command(*args, params=params, **options)

    # What cyclopts reads: the signature for the names, the annotations for the types.
    vars(run)["__signature__"] = signature.replace(parameters=own + flags)
    run.__annotations__ = {item.name: item.annotation for item in own + flags}
    run.__doc__ = command.__doc__
    return run


def about(command: Callable[..., int], cls: type[Strategy] | None) -> str:
    """Give what ``--help`` says of `command`, and of the strategy that it was given."""
    texts = [inspect.getdoc(command)]
    if cls is not None:
        texts += [f"{cls.__name__}: {inspect.cleandoc(cls.__doc__ or 'says nothing of itself.')}"]
    return "\n\n".join(text for text in texts if text)


def _flag(parameter: Parameter, cls: type[Strategy], taken: set[str]) -> inspect.Parameter:
    name = parameter.name.replace("_", "-")
    switch = parameter.type is bool
    spec = cyclopts.Parameter(
        # A name that the command has already gets a prefix.
        name=f"--strategy-{name}" if parameter.name in taken else f"--{name}",
        help="; ".join(part for part in (parameter.help, parameter.wanted, parameter.required and "needed") if part),
        group=Group(f"Parameters of {cls.__name__}"),
        metavar=None if switch else _METAVARS.get(parameter.type, "VALUE"),
        show_default=False if parameter.required else partial(_shown, parameter),
    )
    return inspect.Parameter(
        f"{_PREFIX}{parameter.name}",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[bool | None if switch else str | None, spec],
    )


def _shown(parameter: Parameter, _: object) -> str:
    return str(parameter.default)
