"""What NumPy's tape refuses, by name."""

from __future__ import annotations

import copy
import functools
import operator
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from backends import CaptureError
from backends.numpy.tape import NumpyTape

from .recording import backend, same


def test_writing_a_function_off_the_list_is_refused() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        backend.write_out(s["a"], np.sort, x, axis=0)
        return x * 1.0

    with pytest.raises(
        CaptureError, match="^sort is not one of the standard's functions that can be recorded$"
    ):
        same(body)
    with pytest.raises(
        CaptureError, match=r"^functools\.partial\(.*\) is not one of the standard's functions"
    ):
        same(lambda xp, s, x: backend.write_out(s["a"], functools.partial(np.sort), x))


def test_an_array_on_the_left_is_the_standard_s_function() -> None:
    constant = np.full(4, 0.5, np.float32)
    replay = same(lambda xp, s, x: (constant * x, constant - x, constant > x, np.multiply(constant, x)))
    assert [call.name for call in replay.recorded] == ["multiply", "subtract", "greater", "multiply"]
    replay = same(lambda xp, s, x: (y := -x, y + x, xp.exp(y), y[0, 1], s["a"][2, 1]))
    assert [call.name for call in replay.recorded] == ["neg", "add", "exp", "getitem", "getitem"]


def test_results_of_constants_alone_can_be_read() -> None:
    constant = np.arange(6.0, dtype=np.float32)
    same(lambda xp, s, x: x * float(xp.reshape(constant, (2, 3))[1, 2]))


def in_thread(xp: Any, s: Any, x: Any) -> Any:
    results: list[Any] = []

    def compute() -> None:
        try:
            results.append(x * 2.0)
        except CaptureError:
            results.append(1.0)

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    return x * results[0]


def caught(xp: Any, s: Any, x: Any) -> Any:
    try:
        return x * float(xp.sum(x))
    except Exception:
        return x * 2.0


def caught_warning(xp: Any, s: Any, x: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return xp.log(x - 0.5)
        except RuntimeWarning:
            return x


def shown_warning(xp: Any, s: Any, x: Any) -> Any:
    before = warnings.showwarning
    warnings.showwarning = lambda *_: None
    try:
        return xp.log(x)
    finally:
        warnings.showwarning = before


def errors(xp: Any, s: Any, x: Any) -> Any:
    with np.errstate(divide="ignore"):
        return xp.log(x)


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "mean": (lambda xp, s, x: np.mean(x), "numpy.mean is NumPy's own"),
    "ufunc.where": (
        lambda xp, s, x: np.multiply(x, 2.0, out=x, where=x > 0.5),
        r"numpy.multiply with (out, where|where, out) is NumPy's own",
    ),
    "out": (lambda xp, s, x: np.add(x, 1.0, x), "numpy.add with out"),
    "reduce": (lambda xp, s, x: np.add.reduce(x), "numpy.add.reduce is NumPy's own"),
    "at": (lambda xp, s, x: np.add.at(s["row"], [0, 0], x[0, 0]), "numpy.add.at is NumPy's own"),
    "modf": (lambda xp, s, x: np.modf(x)[0], "numpy.modf is NumPy's own"),
    "method": (lambda xp, s, x: x.sum(), "array method .sum is not the array API standard's"),
    "flags": (lambda xp, s, x: x.flags, "array method .flags is not the array API standard's"),
    "extra": (lambda xp, s, x: xp.einsum("ij->i", x), "einsum is not one of the standard's functions"),
    "unique": (lambda xp, s, x: xp.unique_values(x), "unique_values is not one of the standard's"),
    "mask": (lambda xp, s, x: x[x > 0.5], r"the shape of x\[mask\] depends on values"),
    "constant mask": (lambda xp, s, x: x[np.arange(5) > 2], r"the shape of x\[mask\] depends on values"),
    "truth": (lambda xp, s, x: x[True], r"the shape of x\[mask\] depends on values"),
    "list of numbers": (lambda xp, s, x: x[[0, 1]], r"the shape of x\[mask\] depends on values"),
    "set rows": (
        lambda xp, s, x: operator.setitem(s["a"], np.asarray([0, 1]), 0.0),
        r"x\[index\] = value with an array as the index",
    ),
    "set a list of rows": (
        lambda xp, s, x: operator.setitem(s["a"], [0, 1], 0.0),
        "with an array as the index",
    ),
    "set rows that are computed": (
        lambda xp, s, x: operator.setitem(s["a"], xp.argmax(x, axis=1), 0.0),
        "with an array as the index",
    ),
    "set a truth": (lambda xp, s, x: operator.setitem(s["a"], True, 0.0), "with an array as the index"),
    "set a number": (
        lambda xp, s, x: operator.setitem(xp.sum(x), (), 0.0),
        "with an array as the index",
    ),
    "set mask": (lambda xp, s, x: operator.setitem(x, x > 0.5, 0.0), "with an array as the index"),
    "index": (lambda xp, s, x: x[xp.argmax(s["row"]), ...], "with a number that is computed"),
    "index of a tuple": (lambda xp, s, x: x[..., xp.argmax(s["row"])], "with a number that is computed"),
    "shape": (
        lambda xp, s, x: xp.zeros((xp.argmax(s["row"]) + 1,)) + xp.sum(x),
        "zeros with a shape, an axis",
    ),
    "shape of full": (lambda xp, s, x: xp.full((xp.argmax(x),), 0.5), "full with a shape, an axis"),
    "shape of full_like": (
        lambda xp, s, x: xp.full_like(x, 0.5, shape=(xp.argmax(x),)),
        "full_like with a shape, an axis",
    ),
    "stop": (lambda xp, s, x: xp.arange(0, xp.argmax(x)), "arange with a shape, an axis"),
    "repetitions": (lambda xp, s, x: xp.tile(x, (2, xp.argmax(x))), "tile with a shape, an axis"),
    "shape of broadcast_to": (
        lambda xp, s, x: xp.broadcast_to(x, (xp.argmax(x), 5, 4)),
        "broadcast_to with a shape, an axis",
    ),
    "axis of take": (lambda xp, s, x: xp.take(x, s["row"], axis=xp.argmax(x)), "take with a shape, an axis"),
    "reshape": (lambda xp, s, x: xp.reshape(x, (xp.argmax(s["row"]) * 0 + 5, -1)), "reshape with a shape"),
    "axis": (lambda xp, s, x: xp.flip(x, axis=xp.argmax(s["row"]) % 2), "flip with a shape, an axis"),
    "count": (lambda xp, s, x: xp.arange(xp.argmax(s["row"])), "arange with a shape, an axis"),
    "text": (lambda xp, s, x: x * len(str(xp.sum(x))), "a value is read"),
    "format": (lambda xp, s, x: x * len(f"{xp.sum(x):.2f}"), "a value is read"),
    "round": (lambda xp, s, x: x * round(xp.sum(x)), "a value is read"),
    "divmod": (lambda xp, s, x: divmod(xp.sum(x), 2.0)[0] * x, "a value is read"),
    "a number's class": (
        lambda xp, s, x: x * (xp.sum(x) if isinstance(xp.sum(x), float) and xp.sum(x) > 5 else 1),
        "a value is read",
    ),
    "showing warnings": (shown_warning, "warnings are caught or filtered within the step"),
    "warnings": (caught_warning, "warnings are caught or filtered within the step"),
    "float": (lambda xp, s, x: x * float(xp.sum(x)), "a value is read"),
    "several": (lambda xp, s, x: xp.broadcast_arrays(x, np.ones(4)), "broadcast_arrays gives several arrays"),
    "none": (lambda xp, s, x: operator.eq(xp.sum(x), None), "eq gives a bool, which depends on values"),
    "int": (lambda xp, s, x: x * int(xp.sum(x)), "a value is read"),
    "complex": (lambda xp, s, x: x * complex(xp.sum(x)).real, "a value is read"),
    "place": (lambda xp, s, x: x * range(99)[xp.argmax(x)], "a value is read"),
    "in": (lambda xp, s, x: x if 0.5 in x else -x, "a value is read"),
    "dlpack": (lambda xp, s, x: x.__dlpack__(), "a value is read"),
    "bool": (lambda xp, s, x: x if xp.sum(x) > 1.0 else -x, "a value is read"),
    "iterate": (lambda xp, s, x: sum(row * 1.0 for row in x), "a value is read"),
    "asarray": (lambda xp, s, x: x * np.asarray(x), "a value is read"),
    "into a constant": (lambda xp, s, x: operator.iadd(np.zeros((5, 4), "float32"), x), "numpy.add with out"),
    "into": (
        lambda xp, s, x: backend.write_out(s["row"], np.sum, x, axis=0),
        "sum is not one of the standard's functions that can be recorded",
    ),
    "copy": (lambda xp, s, x: copy.copy(x), "a value is read"),
    "pickle": (lambda xp, s, x: pickle.dumps(x), "a value is read"),
    "caught": (caught, "a value is read"),
    "errstate": (errors, "np.errstate is set within the step"),
    "thread": (in_thread, "an array is used in another thread"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_anything_off_the_list_is_refused_by_name(kind: str) -> None:
    body, why = REFUSED[kind]
    with pytest.raises(CaptureError, match=why):
        same(body, "float64" if kind == "a number's class" else "float32")


def test_raising_floating_point_errors_is_refused() -> None:
    with np.errstate(over="raise"), pytest.raises(CaptureError, match=r"np\.seterr makes"):
        same(lambda xp, s, x: xp.exp(x))


def test_an_array_of_another_recording_is_refused() -> None:
    kept: list[Any] = []

    def record(use: Callable[[Any, Any], Any]) -> None:
        def function(state: Any, x: Any) -> tuple[Any, ...]:
            kept.append(x * 2.0)
            return (use(x, kept[0]),)

        backend.record(function, [{}], [np.ones(3)])

    record(lambda x, y: x + y)
    with pytest.raises(CaptureError, match="an array is kept from one step to another, outside the state"):
        record(lambda x, y: x + y)
    for use in (lambda y: y + 1.0, np.asarray, float, lambda y: y.sum()):
        with pytest.raises(CaptureError, match="this array is of a recording that is over: it has no values"):
            use(kept[0])


def test_a_function_that_gives_other_results_each_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def counting(x: Any) -> Any:
        calls.append(x)
        return x + len(calls)

    monkeypatch.setattr(backend.xp, "sin", counting)
    with pytest.raises(CaptureError, match="sin does not give the same twice"):
        same(lambda xp, s, x: xp.sin(x))


def test_arrays_in_pieces_are_refused() -> None:
    tape = NumpyTape(backend, [])
    for pieces in (np.ones((4, 4))[:, ::2], np.ones(4)[::-1], np.broadcast_to(np.ones(4), (3, 4))):
        with pytest.raises(CaptureError, match="f gives an array that is not laid out as one piece"):
            tape.place_like("f", pieces)


def test_an_array_from_outside_that_changes_is_refused() -> None:
    constant = np.ones(4, "float32")

    def changing(xp: Any, s: Any, x: Any) -> Any:
        y = x + constant
        constant[0] += 1.0
        return y

    def changing_and_reading(xp: Any, s: Any, x: Any) -> Any:
        return changing(xp, s, x) * constant

    for body in (changing, changing_and_reading):
        with pytest.raises(CaptureError, match="an array that is not in the state is written into"):
            same(body)
