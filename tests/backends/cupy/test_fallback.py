"""A capture that fails: the step is called, the cause is said once, and the numbers are those of calls."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import numpy as np
import pytest

from backends import Backend, CaptureWarning, namespace_of
from backends.cupy.cublas import Cublas, CublasError
from backends.cupy.products import WORKSPACE
from backprop import SGD, Affine, Identity, Network, Training

pytestmark = pytest.mark.only("cupy")

X = np.random.default_rng(0).standard_normal((120, 4)).astype("float32")
T = np.random.default_rng(1).integers(0, 3, 120)


def cuda() -> Any:
    import cupy

    return cupy.cuda


def is_captured() -> bool:
    return bool(cuda().get_current_stream().is_capturing())


class Acts(Identity):
    """Does something in every forward of a step."""

    act: Callable[[Any], Any]

    def forward(self, x: Any, *, training: bool = False) -> Any:
        if training:
            type(self).act(x)
        return super().forward(x, training=training)


def network(backend: Backend, act: Callable[[Any], Any] | None) -> Network:
    draw = np.random.default_rng(2)

    def affine(rows: int, columns: int) -> Affine:
        W, b = 0.3 * draw.standard_normal((rows, columns)), np.zeros(columns)
        return Affine(*(backend.asarray(values, dtype="float32") for values in (W, b)))

    middle = [] if act is None else [type("Acts", (Acts,), {"act": staticmethod(act)})()]
    return Network([affine(4, 8), *middle, affine(8, 3)])


def trained(
    backend: Backend, act: Callable[[Any], Any] | None = None, capture: bool = True
) -> tuple[list[Any], list[str]]:
    """The parameters and losses, and the texts of the warnings."""
    net = network(backend, act)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", CaptureWarning)
        training = Training(net, X, T, epochs=3, batch_size=12, optimizer=SGD(0.1), rng=0, capture=capture)
        losses = [metrics.loss for metrics in training]
    return [backend.to_numpy(net.flat_params["flat"]), losses], [str(warning.message) for warning in said]


def assert_falls_back(backend: Backend, act: Callable[[Any], Any] | None, cause: str) -> None:
    found, said = trained(backend, act)
    assert len(said) == 1, said
    assert said[0].startswith("the step is not captured but called each time, which is slower: ")
    assert cause in said[0]
    expected, _ = trained(backend, capture=False)
    np.testing.assert_equal(found, expected)


@pytest.fixture(autouse=True)
def _later_captures_work(backend: Backend) -> Iterator[None]:
    yield
    (expected, _), (found, said) = trained(backend, capture=False), trained(backend)
    assert said == []
    for value, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-5, atol=1e-6)


def raises(x: Any) -> None:
    if is_captured():
        raise RuntimeError("not now")


def raises_late(x: Any) -> None:
    if is_captured():
        namespace_of(x).matmul(x, namespace_of(x).matrix_transpose(x))
        raise KeyError("lost")


def prints(x: Any) -> None:
    assert len(f"{float(x[0, 0]):.3f}") > 3


def swallows_an_error(x: Any) -> None:
    try:
        cuda().get_current_stream().synchronize()
    except cuda().runtime.CUDARuntimeError:
        pass


def multiplies_stacks(x: Any) -> None:
    if is_captured():
        namespace_of(x).matmul(x[None, ...], x[None, ...])


def multiplies_in_a_thread_that_ends(x: Any) -> None:
    def product() -> None:
        values = namespace_of(x).ones((4, 4), dtype=x.dtype)
        namespace_of(x).matmul(values, values)

    thread = Thread(target=product)
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        (raises, "RuntimeError: not now (in Acts1 (Acts)"),
        (raises_late, "KeyError: 'lost' (in Acts1 (Acts)"),
        (lambda x: cuda().get_current_stream().synchronize(), "(in Acts1 (Acts)"),
        (lambda x: cuda().Device().synchronize(), "(in Acts1 (Acts)"),
        (prints, "D2H transfers are disallowed (in Acts1 (Acts)"),
        (lambda x: namespace_of(x).asarray([1.0, 2.0]), "H2D transfers are disallowed (in Acts1 (Acts)"),
        (lambda x: x[x > 0.0], "D2H transfers are disallowed (in Acts1 (Acts)"),
        (swallows_an_error, "CAPTURE_INVALIDATED"),
        (multiplies_stacks, "expected two floating-point matrices of one dtype (in Acts1 (Acts)"),
        pytest.param(
            multiplies_in_a_thread_that_ends,
            "CAPTURE_INVALIDATED",  # as the thread ends, CuPy destroys its handle, and fails
            marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
        ),
    ],
)
def test_what_cannot_be_captured(act: Callable[[Any], Any], cause: str, backend: Backend) -> None:
    assert_falls_back(backend, act, cause)


def test_work_of_another_thread_does_not_disturb(backend: Backend) -> None:
    with ThreadPoolExecutor(1) as other:
        done: list[float] = []

        def work() -> None:
            values = backend.asarray(np.full((8, 8), 2.0), dtype="float32")
            done.append(float(backend.xp.matmul(values, values + 1.0)[0, 0]))

        (found, said), (expected, _) = (
            trained(backend, lambda x: other.submit(work).result(), capture=capture)
            for capture in (True, False)
        )
    assert said == []
    assert set(done) == {48.0}
    for value, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("limit", [2**20, WORKSPACE + 2**20])
def test_out_of_memory(limit: int, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the workspace, and within the step."""
    make = cuda().MemoryPool

    def small() -> Any:
        pool = make()
        pool.set_limit(limit)
        return pool

    def takes_memory(x: Any) -> None:
        namespace_of(x).empty((2**19,), dtype=namespace_of(x).float32)

    with monkeypatch.context() as patch:
        patch.setattr(cuda(), "MemoryPool", small)
        assert_falls_back(backend, takes_memory, "OutOfMemoryError: Out of memory allocating")


def test_memory_that_calls_have_left_is_given_to_the_capture(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cupy

    make, pools, free = cuda().MemoryPool, [], []

    def small_at_first() -> Any:
        pools.append(make())
        if len(pools) == 1:
            pools[0].set_limit(WORKSPACE + 2**12)
        free.append(cupy.get_default_memory_pool().free_bytes())
        return pools[-1]

    with monkeypatch.context() as patch:
        patch.setattr(cuda(), "MemoryPool", small_at_first)
        cupy.empty(2**25, "uint8")  # the default pool keeps it
        assert trained(backend)[1] == []
    assert free[0] >= 2**25 > free[1]


def test_an_error_of_cublas(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise CublasError("cublasGemmEx: the GPU program failed to execute (status 13)")

    with monkeypatch.context() as patch:
        patch.setattr(Cublas, "gemm", fail)
        assert_falls_back(backend, None, "CublasError: cublasGemmEx: the GPU program failed")


def test_out_of_memory_is_a_memory_error(backend: Backend) -> None:
    import cupy

    assert issubclass(cupy.cuda.memory.OutOfMemoryError, MemoryError)
    pool = cupy.get_default_memory_pool()
    before = pool.get_limit()
    pool.free_all_blocks()
    pool.set_limit(size=pool.total_bytes() + 2**20)
    try:
        with pytest.raises(MemoryError):
            backend.asarray(np.zeros(2**23, "uint8"))
        with pytest.raises(MemoryError, match="out of memory on cuda:0: the data need"):
            Training(network(backend, None), np.zeros((2**19, 4), "float32"), np.zeros(2**19, "int64"))
    finally:
        pool.set_limit(size=before)
