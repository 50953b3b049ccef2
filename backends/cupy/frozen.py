"""What a function of arrays depends on besides its arguments: a kernel made of it goes on using that."""

from __future__ import annotations

import dis
from functools import cache
from types import CodeType, FunctionType
from typing import Any

BUILTINS = frozenset({"abs", "divmod", "enumerate", "len", "pow", "range", "reversed", "sum", "tuple", "zip"})
"""The built-in functions that only compute."""

CHANGING = frozenset({"DELETE_GLOBAL", "IMPORT_NAME", "LOAD_NAME", "STORE_GLOBAL"})
"""Instructions that reach outside a function, besides reading a global."""


def program_of(function: Any, within: tuple[Any, ...] = ()) -> tuple[CodeType, ...] | None:
    """All the code that the function runs, if the results depend on that and on the arguments alone.

    None for a method, a closure, a function with default values, or one that reads a global other than
    another such function: what they hold may change between two calls, and a kernel would not know.
    `within` are the functions that call this one.
    """
    if not isinstance(function, FunctionType) or function.__closure__ or function in within:
        return None
    if function.__defaults__ or function.__kwdefaults__:
        return None
    names = _globals_read(function.__code__)
    if names is None:
        return None
    programs: list[CodeType] = [function.__code__]
    for name in names:
        if name not in function.__globals__ and name in BUILTINS:
            continue
        program = program_of(function.__globals__.get(name), (*within, function))
        if program is None:
            return None
        programs += program
    return tuple(programs)


@cache
def _globals_read(code: CodeType) -> tuple[str, ...] | None:
    """The globals that the code reads by name; None if it reaches outside in another way."""
    found: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname in CHANGING:
            return None
        if instruction.opname == "LOAD_GLOBAL":
            found.add(instruction.argval)
    for nested in code.co_consts:
        if isinstance(nested, CodeType):
            names = _globals_read(nested)
            if names is None:
                return None
            found.update(names)
    return tuple(sorted(found))
