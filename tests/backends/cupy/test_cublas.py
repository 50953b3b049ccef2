"""Products in a capture."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends.cupy.cublas import Cublas, gemm_shape


@pytest.mark.parametrize("transposed_b", [False, True])
@pytest.mark.parametrize("transposed_a", [False, True])
@pytest.mark.parametrize(("m", "k", "n"), [(3, 4, 5), (1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 1, 1)])
def test_gemm_shape_describes_the_layout(
    m: int, k: int, n: int, transposed_a: bool, transposed_b: bool
) -> None:
    def factor(rows: int, columns: int, transposed: bool) -> np.ndarray:
        values = np.random.default_rng(0).standard_normal((columns, rows) if transposed else (rows, columns))
        return values.T if transposed else values

    def by_columns(x: np.ndarray, transposed: int, rows: int, columns: int, leading: int) -> np.ndarray:
        """What BLAS reads at the address of x: a matrix with its columns `leading` numbers apart."""
        assert leading >= max(1, columns if transposed else rows)
        flat = x.ravel(order="K")
        shape, strides = (rows, columns), ((leading, 1) if transposed else (1, leading))
        return np.lib.stride_tricks.as_strided(flat, shape, [8 * s for s in strides])

    a, b, out = factor(m, k, transposed_a), factor(k, n, transposed_b), np.zeros((m, n))
    op_1, op_2, rows, columns, inner, ld_1, ld_2, ld_out = gemm_shape(a, b, out)
    first, second = by_columns(b, op_1, rows, inner, ld_1), by_columns(a, op_2, inner, columns, ld_2)
    by_columns(out, 0, rows, columns, ld_out)[...] = first @ second
    np.testing.assert_allclose(out, a @ b, rtol=1e-12)


def test_gemm_rejects_unsupported_layouts() -> None:
    x = np.ones((4, 6))
    with pytest.raises(ValueError, match="rows one after another"):
        gemm_shape(x[:, :4], x, np.ones((6, 4)).T)
    with pytest.raises(ValueError, match="contiguous matrix"):
        gemm_shape(x[:, ::2], x[:3], np.ones((4, 6)))
    for a, b in ((x, x), (x[:0], x.T), (x[:, :0], x[:0])):
        with pytest.raises(ValueError, match="not empty"):
            gemm_shape(a, b, np.ones((a.shape[0], b.shape[1])))


def test_products_in_a_capture_go_to_cublas(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    types = SimpleNamespace(COMPUTE_32F=68, COMPUTE_32F_FAST_TF32=77, COMPUTE_64F=70)
    cublas = SimpleNamespace(
        create=lambda: 7, GemmAlgo=SimpleNamespace(DEFAULT=-1), ComputeType=types,
        set_stream=lambda *a: calls.append(("stream", *a)), set_workspace=lambda *a: calls.append(("workspace", *a)),
        gemm_ex=lambda *a: calls.append(("gemm", *a)),
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "nvmath", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "nvmath.bindings", SimpleNamespace(cublas=cublas))
    monkeypatch.delenv("CUPY_TF32", raising=False)

    class FakeArray(np.ndarray):
        data = property(lambda self: SimpleNamespace(ptr=self.ctypes.data))  # type: ignore[assignment]

    def array(*shape: int, dtype: str = "float32") -> Any:
        return np.ones(shape, dtype).view(FakeArray)

    cupy = SimpleNamespace(
        cuda=SimpleNamespace(alloc=lambda size: SimpleNamespace(ptr=11)),
        ascontiguousarray=lambda x: np.ascontiguousarray(x).view(FakeArray),
        empty=lambda shape, dtype: array(*shape, dtype=dtype),
        ones=lambda shape, dtype: array(*shape, dtype=dtype),
    )
    blas = Cublas(cupy)
    for _ in range(2):
        with blas.on(SimpleNamespace(ptr=5, synchronize=lambda: calls.append(("synchronize",)))):
            pass
    first = [call[0] for call in calls]
    assert first == ["stream", "workspace", "gemm", "gemm", "gemm", "synchronize", "stream", "workspace"]
    calls.clear()
    with blas.on(SimpleNamespace(ptr=5)):
        assert blas.active
        out = blas.matmul(array(3, 4), array(5, 4).T)
        assert blas.matmul(array(3), array(3, 4)).shape == (4,)
        assert blas.matmul(array(3, 4), array(4)).shape == (3,)
        for a, b in ((array(2, 3, 4), array(4, 5)), (array(3, 4), array(4, 5, dtype="float64"))):
            with pytest.raises(NotImplementedError, match="two floating-point matrices of one dtype"):
                blas.matmul(a, b)
        monkeypatch.setenv("CUPY_TF32", "1")
        blas.matmul(array(3, 4), array(4, 5), out=out)
        blas.matmul(array(3, 4, dtype="float64"), array(4, 5, dtype="float64"))
    assert not blas.active
    assert calls[:2] == [("stream", 7, 5), ("workspace", 7, 11, 32 * 2**20)]
    gemms = calls[2:]
    assert gemms[0][1:7] == (7, 1, 0, 5, 3, 4)  # the handle, b transposed, a not, and outᵀ = bᵀ aᵀ
    assert gemms[0][15] == out.ctypes.data
    assert [(g[9], g[18]) for g in gemms] == [(0, 68)] * 3 + [(0, 77), (1, 70)]
