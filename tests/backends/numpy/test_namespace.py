"""NumPy's replacements against what they replace: signature, dtype by dtype, values."""

from __future__ import annotations

import inspect
import math
from typing import Any

import array_api_compat.numpy as compat
import numpy as np
import pytest

from backends import get_backend
from backends.numpy.namespace import REPLACEMENTS

FLOATS = ["float16", "float32", "float64"]


DTYPES = [*FLOATS, "int8", "int64", "uint8", "uint64", "bool", "complex64", "complex128"]


SHAPES = [(), (5,), (7, 3), (3, 40), (40, 7), (1, 1), (0, 3), (3, 0), (2, 3, 4)]


xp: Any = get_backend("cpu").xp


def values(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(
        rng.uniform(-3.0, 3.0, shape) if dtype[0] in "fcb" else rng.integers(0, 9, shape)
    ).astype(dtype)


def same(ours: Any, theirs: Any) -> None:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    tolerance = {"float16": 2e-3, "float32": 1e-6, "complex64": 1e-6}.get(str(theirs.dtype), 1e-12)
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


STANDARD = {
    "argmax": "(x, /, *, axis, keepdims)",
    "astype": "(x, dtype, /, *, copy, device)",
    "clip": "(x, /, min, max)",
    "count_nonzero": "(x, /, *, axis, keepdims)",
    "empty": "(shape, *, dtype, device)",
    "matmul": "(x1, x2, /)",
    "matrix_transpose": "(x, /)",
    "max": "(x, /, *, axis, keepdims)",
    "maximum": "(x1, x2, /)",
    "mean": "(x, /, *, axis, keepdims)",
    "sum": "(x, /, *, axis, dtype, keepdims)",
    "take": "(x, indices, /, *, axis)",
    "zeros": "(shape, *, dtype, device)",
}


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_signature_is_the_standards(name: str) -> None:
    assert getattr(xp, name) is REPLACEMENTS[name]
    signature = inspect.signature(REPLACEMENTS[name])
    bare = [p.replace(annotation=p.empty, default=p.empty) for p in signature.parameters.values()]
    assert str(signature.replace(parameters=bare, return_annotation=signature.empty)) == STANDARD[name]


def raised(function: Any, *args: Any, **options: Any) -> Any:
    """What a call returns, or the kind of its error."""
    try:
        return function(*args, **options)
    except (ValueError, TypeError, IndexError) as error:
        return type(error)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["sum", "max", "mean", "argmax", "count_nonzero"])
def test_reductions(name: str, dtype: str) -> None:
    if name in ("max", "mean", "argmax") and dtype in ("bool", "complex64", "complex128"):
        return  # not in the standard
    if name == "mean" and dtype not in FLOATS:
        return
    for shape in SHAPES:
        x = values(shape, dtype)
        for axis in (
            None,
            *range(-len(shape), len(shape)),
            *([(0, 1)] if name != "argmax" and len(shape) > 1 else []),
        ):
            for keepdims in (False, True):
                options = {"axis": axis, "keepdims": keepdims}
                with np.errstate(all="ignore"):
                    if name == "mean" and x.size == 0:
                        continue
                    ours, theirs = (
                        raised(getattr(xp, name), x, **options),
                        raised(getattr(compat, name), x, **options),
                    )
                if isinstance(theirs, type):
                    assert ours is theirs
                else:
                    same(ours, theirs)


@pytest.mark.parametrize("dtype", FLOATS)
def test_reductions_of_special_values(dtype: str) -> None:
    x = np.asarray([[1.0, math.inf, -math.inf], [math.nan, 2.0, 3.0], [1.0, -math.inf, 0.0]], dtype)
    for name in ("sum", "max"):
        for axis in (None, 0, 1):
            with np.errstate(all="ignore"):
                same(getattr(xp, name)(x, axis=axis), getattr(compat, name)(x, axis=axis))


def test_sum_with_a_dtype() -> None:
    same(
        xp.sum(values((7, 3), "float32"), axis=0, dtype=np.float64),
        compat.sum(values((7, 3), "float32"), axis=0, dtype=np.float64),
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_others(dtype: str) -> None:
    x = values((7, 3), dtype)
    rows = np.asarray([6, 0, 0, 3])
    same(xp.take(x, rows, axis=0), compat.take(x, rows, axis=0))
    same(xp.take(x[:, 0], rows), compat.take(x[:, 0], rows))
    same(xp.matrix_transpose(x), compat.matrix_transpose(x))
    same(xp.matrix_transpose(values((2, 3, 4), dtype)), compat.matrix_transpose(values((2, 3, 4), dtype)))
    assert (
        raised(xp.take, x, np.asarray([7]), axis=0)
        is raised(compat.take, x, np.asarray([7]), axis=0)
        is IndexError
    )
    if dtype != "bool":
        for left, right in [((7, 3), (3, 7)), ((7, 40), (40, 3)), ((3, 7), (7, 40)), ((7,), (7, 3)), ((7, 3), (3,)),
                            ((2, 4, 3), (3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (2, 3))]:  # fmt: skip
            a, b = values(left, dtype), values(right, dtype)
            theirs = raised(compat.matmul, a, b)
            ours = raised(xp.matmul, a, b)
            assert ours is ValueError if theirs is ValueError else same(ours, theirs) is None


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [*SHAPES, (300, 500), (90, 40, 40), (2, 3, 150, 250)])
def test_maximum(shape: tuple[int, ...], dtype: str) -> None:
    x = values(shape, dtype)
    for other in (0.0, -1.5, math.nan, math.inf, 1, np.float64(0.5), x * 0):
        ours, theirs = raised(xp.maximum, x, other), raised(np.maximum, x, other)
        assert ours is theirs if isinstance(theirs, type) else same(ours, theirs) is None
    if dtype in FLOATS and x.ndim and x.size:
        special = x.copy()
        special[..., 0] = math.nan
        same(xp.maximum(special, 0.0), np.maximum(special, 0.0))
    for copy in (True, False):
        same(xp.astype(x, np.complex128, copy=copy), compat.astype(x, np.complex128, copy=copy))
        assert (xp.astype(x, x.dtype, copy=copy) is x) is (not copy)


@pytest.mark.parametrize("dtype", [*FLOATS, "int64"])
def test_clip(dtype: str) -> None:
    x = values((7, 3), dtype)
    for bounds in (
        (),
        (0.5, 2.0),
        (None, 1.0),
        (1.0,),
        (np.asarray(1.0), None),
        (x * 0, x * 0 + 1),
        (x[:1], None),
    ):
        if dtype == "int64":
            bounds = tuple(b if b is None else np.asarray(b).astype(dtype) for b in bounds)
        ours = xp.clip(x, *bounds)
        same(ours, compat.clip(x, *bounds))
        assert not np.may_share_memory(ours, x)


@pytest.mark.parametrize("dtype", [None, *DTYPES])
@pytest.mark.parametrize("name", ["empty", "zeros"])
def test_new_arrays(name: str, dtype: str | None) -> None:
    ours, theirs = getattr(xp, name), getattr(compat, name)
    assert [(p.name, p.kind, p.default) for p in inspect.signature(ours).parameters.values()] == [
        ("shape", inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty),
        ("dtype", inspect.Parameter.KEYWORD_ONLY, None),
        ("device", inspect.Parameter.KEYWORD_ONLY, None),
    ]
    for shape in (*SHAPES, 3):
        new, expected = ours(shape, dtype=dtype, device="cpu"), theirs(shape, dtype=dtype, device="cpu")
        assert (new.shape, new.dtype, type(new)) == (expected.shape, expected.dtype, np.ndarray)
        assert name == "empty" or not new.any()
