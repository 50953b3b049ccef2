"""Results written straight into an array: those of the function, in the array's dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend

pytestmark = pytest.mark.only("cupy")

Call = tuple[str, list[np.ndarray], dict[str, Any]]


def calls(dtype: str) -> list[Call]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 4, 3)).astype(dtype)
    images = rng.standard_normal((2, 3, 4, 5)).astype(dtype)
    return [
        ("sum", [x], {"axis": 0}),
        ("sum", [x], {"axis": 1}),
        ("sum", [x], {}),
        ("sum", [images], {"axis": (0, 2, 3)}),
        ("multiply", [x, y], {}),
        ("astype", [x], {}),
        ("matmul", [x.T.copy(), y], {}),
        ("exp", [x], {}),
    ]


@pytest.mark.parametrize("out_dtype", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("number", range(8))
def test_it_is_the_result_in_the_dtype_of_the_array(
    number: int, dtype: str, out_dtype: str, backend: Backend
) -> None:
    name, host, options = calls(dtype)[number]
    if name == "matmul" and dtype != out_dtype:
        pytest.skip("a product is of the gradient's dtype")
    function = getattr(backend.xp, name)
    arrays = [backend.asarray(x) for x in host]
    more = (getattr(backend.xp, dtype),) if name == "astype" else ()
    expected = backend.to_numpy(function(*arrays, *more, **options)).astype(out_dtype)
    vector = backend.asarray(np.full(expected.size + 2, 7.0, out_dtype))
    out = backend.xp.reshape(vector[1:-1], expected.shape)  # a part of a vector, as gradients are
    backend.write_out(out, function, *arrays, *more, **options)
    np.testing.assert_array_equal(backend.to_numpy(out), expected)
    assert backend.to_numpy(vector)[[0, -1]].tolist() == [7.0, 7.0]
