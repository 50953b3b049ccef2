"""Functions with a Python number beside a tensor: array-api-compat's results, and nothing from the host."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from backends import Backend

torch = pytest.importorskip("torch")
compat = pytest.importorskip("array_api_compat.torch")

from backends.torch.namespace import EITHER, FIRST  # noqa: E402 - it needs PyTorch

pytestmark = pytest.mark.only("torch")

FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["bool", "int8", "uint8", "int16", "int32", "int64"]
NUMBERS = [0.0, -0.0, 1.5, -2, 3, 0, 300, True, math.inf, -math.inf, math.nan, 0.1, 1e-30]
NUMBERS += [65519.9, -65520.0, 3.4028235e38, -1e39, 1e300]  # around the largest of each dtype


class Elsewhere(torch.Tensor):  # type: ignore[name-defined,misc]
    """A tensor on the CPU that says it is on another device."""

    is_cpu = False


def values(dtype: str, n: int = 37) -> Any:
    """So many entries, enough for vectorized loops and for what they leave over; one 0-d entry if n is 0."""
    special = [0.0, -0.0, 1.0, -1.0, 0.1, math.inf, -math.inf, math.nan]
    entries = special if dtype in FLOATS else [0, 1, 2, 100, 1, 0, 3, 7]
    x = torch.asarray((entries * 5)[: max(n, 1)]).to(getattr(torch, dtype))
    return x if n else x[0]


def outcome(function: Callable[..., Any], *args: Any) -> Any:
    """What the function returns, dtype, shape and every bit; or that it raises."""
    try:
        y = function(*args)
    except (RuntimeError, TypeError):
        return "an error"
    return y.dtype, tuple(y.shape), y.reshape(-1).contiguous().view(torch.uint8).tolist()


def assert_same_elsewhere(own: Callable[..., Any], its: Callable[..., Any], x: Any, *others: Any) -> None:
    """Check for x on another device: the same numbers, but 0.0 may be -0.0."""
    try:
        expected = its(x, *others)
    except (RuntimeError, TypeError) as error:
        with pytest.raises(type(error)):
            own(x.as_subclass(Elsewhere), *others)
        return
    y = own(x.as_subclass(Elsewhere), *others)
    assert isinstance(y, Elsewhere)
    torch.testing.assert_close(y.as_subclass(torch.Tensor), expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("name", [*FIRST.split(), *EITHER.split()])
def test_the_bits_of_a_function_with_a_number(name: str, backend: Backend) -> None:
    own, its = getattr(backend.xp, name), getattr(compat, name)
    for dtype, number, n in product([*FLOATS, *INTEGERS], NUMBERS, (37, 1, 0)):
        x = values(dtype, n)
        assert outcome(own, x, number) == outcome(its, x, number), (dtype, number, n)
        assert outcome(own, number, x) == outcome(its, number, x), (dtype, number, n)


def test_every_function_of_array_api_compat_that_converts_a_number_stands_here(backend: Backend) -> None:
    from inspect import getsource
    from re import MULTILINE, findall

    source = getsource(compat._aliases)
    found = dict(findall(r"^(\w+) = _two_arg\((?:\w|\.)+, (scalar.*)\)$", source, MULTILINE))
    assert {name for name, which in found.items() if "scalar_x2" not in which} == set(FIRST.split())
    assert {name for name, which in found.items() if "scalar_x2" in which} == set(EITHER.split())


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_a_bound_on_another_device(name: str, backend: Backend) -> None:
    for dtype, number, n in product([*FLOATS, *INTEGERS], NUMBERS, (37, 0)):
        assert_same_elsewhere(getattr(backend.xp, name), getattr(compat, name), values(dtype, n), number)


def test_clipping_between_a_number_and_a_tensor_on_another_device(backend: Backend) -> None:
    for dtype in FLOATS:
        x, low = values(dtype), values(dtype).flip(0)
        for bounds in ((low, 0.5), (-0.5, low), (low, math.nan), (0.5, None), (None, low), (-0.5, 0.5)):
            assert_same_elsewhere(backend.xp.clip, compat.clip, x, *bounds)


def test_nan_is_no_bound_for_a_clamp(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch has ignored it: https://github.com/pytorch/pytorch/issues/172067."""
    monkeypatch.setattr(torch, "clamp", lambda x, **_: x)
    x = values("float32").as_subclass(Elsewhere)
    for bound in (backend.xp.maximum, backend.xp.minimum):
        assert bound(x, math.nan).isnan().all()
