"""Conditions on parameters, such as ``fast < slow``: read, never run as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from strategykit.errors import ConfigError

__all__ = ["Where", "read_where"]

Where = Callable[[Mapping[str, Any]], bool]
"""Says whether a set of parameters is wanted."""

_MOST: Final = 300
"""Characters."""

_COMPARE: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}

_COMPUTE: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def read_where(text: str, names: Collection[str]) -> Where:
    """Read a condition: comparisons of parameters and numbers, ``+ - * / // %``, ``and``, ``or`` and ``not``.

    Raises:
        ConfigError: It can't be read, or names what is no parameter.
    """
    try:
        tree = ast.parse(text.strip()[:_MOST], mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if tree is None or len(text) > _MOST:
        raise ConfigError(f"--where {text[:80]!r} can't be read; write it as in 'fast < slow and slow <= 3 * fast'")
    _check(tree.body, text, names)

    def where(values: Mapping[str, Any]) -> bool:
        try:
            return bool(_value(tree.body, values))
        except (TypeError, ArithmeticError) as exc:
            said = ", ".join(f"{name} = {values[name]}" for name in values if name in text)
            raise ConfigError(f"--where {text!r}: {exc}, with {said}") from exc

    return where


def _check(node: ast.AST, text: str, names: Collection[str]) -> None:
    match node:
        case ast.Name(id=name):
            if name not in names:
                raise ConfigError(f"--where {text!r}: {name} is no parameter; there are {', '.join(names)}")
            return
        case ast.Constant(value=bool() | int() | float() | str()):
            return
        case ast.BoolOp(values=parts):
            inner: list[ast.expr] = parts
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=part):
            inner = [part]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _COMPUTE:
            inner = [left, right]
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARE for op in ops):
            inner = [left, *others]
        case _:
            raise ConfigError(
                f"--where {text!r}: {ast.unparse(node)} isn't allowed; compare parameters and numbers, with + - * / // "
                "% and and, or, not"
            )
    for part in inner:
        _check(part, text, names)


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=value):
            return value
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_value(part, values) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_value(part, values) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return not _value(part, values)
        case ast.UnaryOp(op=op, operand=part):
            return -_value(part, values) if isinstance(op, ast.USub) else _value(part, values)
        case ast.BinOp(left=left, op=op, right=right):
            first, second = _value(left, values), _value(right, values)
            if isinstance(first, str) or isinstance(second, str):
                raise TypeError("texts can only be compared")
            return _COMPUTE[type(op)](first, second)
        case ast.Compare(left=left, ops=ops, comparators=others):
            before = _value(left, values)
            for compared, other in zip(ops, others, strict=True):
                after = _value(other, values)
                if not _COMPARE[type(compared)](before, after):
                    return False
                before = after
            return True
    raise AssertionError(node)
