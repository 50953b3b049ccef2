"""The closed list of the standard's functions."""

from __future__ import annotations

from typing import Any

import pytest

from backends.standard import ARRAY_ARGUMENTS, FUNCTIONS, UNTRACED, parameters

PARAMETERS: dict[str, tuple[tuple[Any, ...], dict[str, Any], list[Any]]] = {
    "exp": (("x",), {}, []),
    "where": (("condition", "x", "y"), {}, []),
    "clip": (("x", "low"), {"max": "high"}, []),
    "sum": (("x",), {"axis": 1}, [1]),
    "matmul": (("x", "y"), {}, []),
    "take": (("x", "indices"), {"axis": 0}, [0]),
    "reshape": (("x", (2, 3)), {"copy": True}, [(2, 3), True]),
    "concat": ((["x", "y"],), {"axis": 1}, [1]),
    "broadcast_arrays": (("x", "y", "z"), {}, []),
    "zeros": (((2, 3),), {"dtype": "float32"}, [(2, 3), "float32"]),
    "zeros_like": (("x",), {}, []),
    "asarray": (("x",), {"copy": True}, [True]),
    "full": (((2, 3), "value"), {}, [(2, 3)]),
    "full_like": (("x",), {"fill_value": "value", "dtype": None}, [None]),
    "getitem": (("x", (0, 1)), {}, []),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_neither_arrays_nor_fill_values(name: str) -> None:
    args, options, expected = PARAMETERS[name]
    assert parameters(name, args, options) == expected


def test_the_lists_agree() -> None:
    assert not FUNCTIONS & UNTRACED
    assert ARRAY_ARGUMENTS.keys() <= FUNCTIONS
