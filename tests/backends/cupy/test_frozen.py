"""What an optimizer's rule reads besides its arguments takes effect at once, on CuPy as on NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import Array, Backend, get_backend
from backends.cupy.frozen import program_of
from backprop import AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSprop
from backprop.optimizers import Optimizer

share = 1.0


def halved(g: Array) -> Array:
    return abs(g) * 0.5


def calls_a_function(p: Array, g: Array) -> Array:
    return p - halved(g)


def calls_itself(p: Array, g: Array) -> Array:
    return calls_itself(p, g)


def reads_a_global(p: Array, g: Array) -> Array:
    return p - share * g


def calls_one_that_reads_a_global(p: Array, g: Array) -> Array:
    return reads_a_global(p, g)


def reads_it_in_a_generator(p: Array, g: Array) -> Array:
    return p - sum(share * x for x in (g, g))


def reads_a_module(p: Array, g: Array) -> Array:
    return p - math.sqrt(2.0) * g


def imports(p: Array, g: Array) -> Array:
    import random

    return p - random.random() * g


def has_a_default(p: Array, g: Array, share: float = 1.0) -> Array:
    return p - share * g


def closure() -> Callable[..., Any]:
    kept = 1.0
    return lambda p, g: p - kept * g


@pytest.mark.parametrize("kind", [AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSprop])
def test_the_rules_here_depend_on_their_arguments(kind: type[Optimizer]) -> None:
    assert program_of(kind.rule)


def test_another_function_is_part_of_the_program() -> None:
    assert program_of(calls_a_function) == (calls_a_function.__code__, halved.__code__)


@pytest.mark.parametrize(
    "function",
    [calls_itself, reads_a_global, calls_one_that_reads_a_global, reads_it_in_a_generator, reads_a_module,
     imports, has_a_default, closure(), "text".join],
)  # fmt: skip
def test_what_may_change_is_refused(function: Any) -> None:
    assert program_of(function) is None


class OfAttribute(Optimizer):
    """A rule that is a method, and reads an attribute."""

    def __init__(self, lr: float) -> None:
        super().__init__(lr)
        self.share = 1.0

    def rule(self, p: Array, g: Array, lr: Array) -> tuple[Array, ...]:  # type: ignore[override]
        p -= lr * self.share * g
        return (p,)


class OfClass(Optimizer):
    """A rule that reads an attribute of the class."""

    share = 1.0

    @classmethod
    def rule(cls, p: Array, g: Array, lr: Array) -> tuple[Array, ...]:  # type: ignore[override]
        return (p - lr * cls.share * g,)


@pytest.mark.only("cupy")
@pytest.mark.parametrize("kind", [OfAttribute, OfClass])
def test_a_change_takes_effect_at_once(
    kind: type[Any], backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = []
    for library in (backend, get_backend("cpu")):
        optimizer = kind(0.5)
        params = {"W": library.asarray([1.0, 2.0])}
        optimizer.update(params, {"W": library.asarray([1.0, -1.0])})
        with monkeypatch.context() as patch:
            patch.setattr(optimizer if kind is OfAttribute else kind, "share", 0.1)
            optimizer.update(params, {"W": library.asarray([1.0, -1.0])})
        results.append(library.to_numpy(params["W"]))
    np.testing.assert_allclose(results[0], results[1])
    np.testing.assert_allclose(results[0], [0.45, 2.55])
