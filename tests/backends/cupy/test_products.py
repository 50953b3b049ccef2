"""Products in a capture."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backends.cupy import cublas
from backends.cupy.products import Products, gemm_shape

from .fake_cuda import FakeCupy, FakeLibrary, FakeStream, array, computing_on


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeLibrary:
    fake = FakeLibrary()
    monkeypatch.setattr(cublas, "_library", lambda: fake)
    monkeypatch.delenv("CUPY_TF32", raising=False)
    return fake


@pytest.mark.parametrize("transposed_b", [False, True])
@pytest.mark.parametrize("transposed_a", [False, True])
@pytest.mark.parametrize(("m", "k", "n"), [(3, 4, 5), (1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 1, 1)])
def test_a_captured_product_of_every_layout(
    m: int, k: int, n: int, transposed_a: bool, transposed_b: bool, library: FakeLibrary
) -> None:
    def factor(rows: int, columns: int, transposed: bool) -> Any:
        values = np.random.default_rng(0).standard_normal((columns, rows) if transposed else (rows, columns))
        return array(values.T if transposed else values)

    a, b = factor(m, k, transposed_a), factor(k, n, transposed_b)
    cupy = FakeCupy()
    products, out = Products(cupy), array(np.zeros((m, n)))
    with computing_on(FakeStream(cupy, 5), products):
        np.testing.assert_allclose(products.matmul(a, b), np.asarray(a) @ np.asarray(b), rtol=1e-12)
        assert products.product(a, b, out) is out
    np.testing.assert_allclose(out, np.asarray(a) @ np.asarray(b), rtol=1e-12)
    assert cupy.own == 0


def test_gemm_rejects_unsupported_layouts() -> None:
    x = np.ones((4, 6))
    with pytest.raises(ValueError, match="rows one after another"):
        gemm_shape(x[:, :4], x, np.ones((6, 4)).T)
    with pytest.raises(ValueError, match="contiguous matrix"):
        gemm_shape(x[:, ::2], x[:3], np.ones((4, 6)))
    for a, b in ((x, x), (x[:0], x.T), (x[:, :0], x[:0])):
        with pytest.raises(ValueError, match="not empty"):
            gemm_shape(a, b, np.ones((a.shape[0], b.shape[1])))


def test_dtypes_vectors_and_what_is_refused(library: FakeLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    def ones(*shape: int, dtype: str = "float32") -> Any:
        return array(np.ones(shape), dtype)

    cupy = FakeCupy()
    products = Products(cupy)
    with computing_on(FakeStream(cupy, 5), products):
        library.calls.clear()
        assert products.matmul(ones(3), ones(3, 4)).tolist() == [3.0] * 4
        assert products.matmul(ones(3, 4), ones(4)).tolist() == [4.0] * 3
        products.matmul(ones(3, 4, dtype="float16"), ones(4, 5, dtype="float16"))
        for a, b in ((ones(2, 3, 4), ones(4, 5)), (ones(3, 4), ones(4, 5, dtype="float64"))):
            with pytest.raises(NotImplementedError, match="two floating-point matrices of one dtype"):
                products.matmul(a, b)
        monkeypatch.setenv("CUPY_TF32", "1")
        products.matmul(ones(3, 4), ones(4, 5))
        products.matmul(ones(3, 4, dtype="float64"), ones(4, 5, dtype="float64"))
    kinds_and_types = [(call[9], call[18]) for call in library.calls]
    assert kinds_and_types == [(0, 68), (0, 68), (2, 68), (0, 77), (1, 70)]


def test_a_handle_serves_one_capture_at_a_time_and_a_workspace_one_graph(library: FakeLibrary) -> None:
    cupy = FakeCupy()
    products, first, second = Products(cupy), FakeStream(cupy, 5), FakeStream(cupy, 6)
    with computing_on(first, products) as one, computing_on(second, products) as two:
        pass
    with computing_on(first, products) as three:
        pass
    assert len({one.ptr, two.ptr, three.ptr}) == 3
    assert library.handles == 2
    assert (first.synchronized, second.synchronized) == (1, 1)  # after the first products of each handle
    used = [call for call in library.calls if call[0] in ("SetStream", "SetWorkspace")][-2:]
    assert used == [("SetStream", 1, 5), ("SetWorkspace", 1, three.ptr, 32 * 2**20)]
    other = FakeStream(cupy, 7)
    other.device_id = 1
    with products.captured_on(other):
        assert library.handles == 3


def test_other_streams_and_threads_keep_cupys_products(library: FakeLibrary) -> None:
    cupy = FakeCupy()
    products, x = Products(cupy), array(np.ones((2, 2)))

    def elsewhere() -> None:
        assert products.matmul(x, x).tolist() == [[2.0, 2.0]] * 2

    stream = FakeStream(cupy, 5)
    with computing_on(stream, products):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert cupy.own == 1
        products.matmul(x, x)
        assert cupy.own == 1
        with FakeStream(cupy, 6):
            products.matmul(x, x)
        assert cupy.own == 2
    with stream:
        products.matmul(x, x)
    assert cupy.own == 3


def test_a_capture_that_breaks_gives_its_handle_back(library: FakeLibrary) -> None:
    cupy = FakeCupy()
    products = Products(cupy)
    for _ in range(2):
        with pytest.raises(KeyError), computing_on(FakeStream(cupy, 5), products):
            raise KeyError
    assert library.handles == 1


def test_a_handle_that_cannot_be_set_up_is_no_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cublas, "_library", lambda: FakeLibrary(cublasSetStream_v2=1))
    cupy = FakeCupy()
    products = Products(cupy)
    with pytest.raises(cublas.CublasError, match="SetStream"), products.captured_on(FakeStream(cupy, 5)):
        pass
    assert not products._captured


def test_a_product_on_another_device_is_refused() -> None:
    cupy = FakeCupy()
    products, x, other = Products(cupy), array(np.ones((2, 2))), array(np.ones((2, 2)))
    other.device_id = 1
    message = r"an array on GPU 1, while this thread uses GPU 0: call get_backend\('gpu:1'\) in this thread"
    for pair in ((other, x), (x, other)):
        with pytest.raises(ValueError, match=message):
            products.matmul(*pair)
    cupy.device = 1
    assert products.matmul(other, other).tolist() == [[2.0, 2.0]] * 2


@pytest.mark.only("cupy")
def test_a_product_of_another_thread_during_a_capture(backend: Backend) -> None:
    x = np.random.default_rng(0).standard_normal((8, 8))
    held: list[Any] = []

    def product() -> None:
        a = backend.asarray(x, dtype="float32")
        held.append(backend.to_numpy(backend.xp.matmul(a, a)))

    def step(state: Any, a: Any) -> tuple[Any, ...]:
        for _ in range(2):
            other.submit(product).result()
        return (backend.xp.matmul(a, a),)

    a = backend.asarray(x, dtype="float32")
    with ThreadPoolExecutor(1) as other:  # a thread that ends destroys its handle, which breaks a capture
        replay = backend.record(step, [{}], [a])
    expected = (x.astype("float32") @ x.astype("float32")).astype("float32")
    for found in (*held, backend.to_numpy(replay(a)[0])):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert len(held) == 2


@pytest.mark.only("cupy")
def test_two_captures_at_once(backend: Backend) -> None:
    """Each thread waits within its capture until the other is in its own."""
    meet, found = threading.Barrier(2, timeout=60), {}
    xs = [np.random.default_rng(i).standard_normal((16, 16)) for i in range(2)]

    def capture(i: int) -> None:
        a = backend.asarray(xs[i], dtype="float32")

        def step(state: Any, a: Any) -> tuple[Any, ...]:
            product = backend.xp.matmul(a, a)
            meet.wait()
            return (backend.xp.matmul(product, a),)

        replay = backend.record(step, [{}], [a])
        meet.wait()
        found[i] = [backend.to_numpy(replay(a)[0]) for _ in range(3)]

    threads = [threading.Thread(target=capture, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, x in enumerate(xs):
        for values in found[i]:
            np.testing.assert_allclose(values, x @ x @ x, rtol=1e-4, atol=1e-3)


@pytest.mark.only("cupy")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_product_of_one_dtype_recorded_into_an_array_of_another(dtype: str, backend: Backend) -> None:
    """cuBLAS would write its own dtype there, and beyond the array's end."""
    x = backend.asarray(np.arange(12.0).reshape(3, 4), dtype=dtype)
    y = backend.asarray(np.arange(20.0).reshape(4, 5), dtype=dtype)
    for other in ("float16", "float32", "float64"):
        out = backend.asarray(np.zeros((3, 5)), dtype=other)

        def step(state: Any, ones: Any) -> tuple[Any, ...]:
            backend.write_out(state["out"], backend.xp.matmul, state["x"], state["y"])
            return (ones,)

        ones = backend.asarray([1.0])
        backend.record(step, [{"out": out, "x": x, "y": y}], [ones])(ones)
        np.testing.assert_array_equal(
            backend.to_numpy(out), np.arange(12.0).reshape(3, 4) @ np.arange(20.0).reshape(4, 5)
        )
