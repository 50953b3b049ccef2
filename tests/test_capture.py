"""Recorded steps: the same numbers as steps that are called, or the step is called and the cause said."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from copy import deepcopy
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import Backend, CaptureWarning, get_backend, namespace_of
from backends.cublas import Cublas, gemm_shape
from backends.cupy_capture import CupyCapture
from backprop import (
    SGD,
    Affine,
    BatchTooLargeError,
    Identity,
    Layer,
    MeanSquaredError,
    Network,
    Optimizer,
    ReLU,
    Sigmoid,
    SigmoidWithLoss,
    Tanh,
    fit,
)  # fmt: skip

rng = np.random.default_rng(0)
X = rng.standard_normal((250, 4)).astype("float32")
LABELS = rng.integers(0, 3, 250)


def network(backend: Backend | str, *middle: Layer, last: Any = None) -> Network:
    backend, draw = get_backend(backend), np.random.default_rng(1)

    def affine(rows: int, columns: int) -> Affine:
        W = 0.3 * draw.standard_normal((rows, columns))
        return Affine(
            backend.asarray(W, dtype="float32"), backend.asarray(np.zeros(columns), dtype="float32")
        )

    return Network([affine(4, 8), *(middle or (ReLU(),)), affine(8, 3)], last)


def trained(
    make: Callable[[], Network], capture: bool, t: np.ndarray = LABELS, **options: Any
) -> tuple[Any, ...]:
    """Parameters, layers' state, loss and accuracy of every epoch; the last batch of each is smaller."""
    net = make()
    options = {"epochs": 4, "batch_size": 40, "rng": 0, "optimizer": SGD(0.1)} | options
    options["optimizer"] = deepcopy(options["optimizer"])  # it counts its steps
    metrics = list(fit(net, X, t, capture=capture, **options))
    params = {
        name: net.backend.to_numpy(value).copy() for name, value in (*net.params.items(), *net.state.items())
    }
    return params, [(m.loss, m.accuracy) for m in metrics]


def assert_same(make: Callable[[], Network], exactly: bool, **options: Any) -> None:
    (captured, metrics), (called, expected) = (trained(make, capture, **options) for capture in (True, False))
    for name, value in called.items():
        np.testing.assert_allclose(
            captured[name], value, rtol=0 if exactly else 1e-5, atol=0 if exactly else 1e-6
        )
    numbers, expected = (np.asarray(values, np.float64) for values in (metrics, expected))  # None is NaN
    np.testing.assert_allclose(numbers, expected, rtol=0 if exactly else 1e-5)


@pytest.mark.parametrize("layer", [ReLU, Sigmoid, Tanh, Identity])
def test_captured_training_is_training(layer: type[Layer], backend: Backend) -> None:
    assert_same(lambda: network(backend, layer()), exactly=backend.device == "cpu")


@pytest.mark.parametrize(
    ("last", "t"),
    [
        (SigmoidWithLoss, np.eye(3)[LABELS]),
        (MeanSquaredError, np.eye(3, dtype="float32")[LABELS]),
        (None, np.eye(3)[LABELS]),
    ],
)
def test_every_loss(last: Any, t: np.ndarray, backend: Backend) -> None:
    assert_same(lambda: network(backend, last=last and last()), exactly=backend.device == "cpu", t=t)


def test_progress_within_the_epoch_and_other_sampling(backend: Backend) -> None:
    options = {"progress": lambda _: None, "progress_steps": 3, "sampling": "with-replacement"}
    assert_same(lambda: network(backend), exactly=backend.device == "cpu", **options)


def test_a_learning_rate_changed_between_epochs(backend: Backend) -> None:
    def run(capture: bool) -> np.ndarray:
        net, sgd = network(backend), SGD(0.5)
        for _ in fit(net, X, LABELS, epochs=4, batch_size=25, rng=0, optimizer=sgd, capture=capture):
            sgd.lr /= 2.0
        return backend.to_numpy(net.flat_params["flat"]).copy()

    np.testing.assert_allclose(run(True), run(False), rtol=1e-5, atol=1e-6)


def test_a_step_is_recorded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    forward = ReLU.forward

    def spy(self: Any, x: Any, *, training: bool = False) -> Any:
        nonlocal calls
        calls += training
        return forward(self, x, training=training)

    monkeypatch.setattr(ReLU, "forward", spy)
    for test in (None, (X[:9], LABELS[:9])):
        calls = 0
        list(fit(network("cpu"), X, LABELS, epochs=9, batch_size=40, rng=0, test=test))
        assert calls == 3 + 3  # full batches, ragged ones


def test_a_number_of_a_layer_changed_between_epochs() -> None:
    class Scale(Layer):
        factor = 1.0

        def forward(self, x: Any, *, training: bool = False) -> Any:
            return x * self.factor

        def backward(self, dout: Any) -> Any:
            return dout * self.factor

    def run(capture: bool) -> np.ndarray:
        net = network("cpu", Scale())
        for _ in fit(net, X, LABELS, epochs=4, batch_size=25, rng=0, capture=capture):
            net.layers["Scale1"].factor /= 2.0  # type: ignore[attr-defined]
        return net.flat_params["flat"].copy()

    np.testing.assert_array_equal(run(True), run(False))


class Keeps(Layer):
    """Layers that a recording cannot repeat."""

    kind, calls = "", 0

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.mean, self.noise = kind, np.zeros(8, np.float32), np.random.default_rng(0)

    def forward(self, x: Any, *, training: bool = False) -> Any:
        xp = namespace_of(x)
        if not training:
            return x
        if self.kind == "reads a value" and float(xp.max(x)) > 100.0:
            return x * 0.0
        if self.kind == "copies to NumPy":
            return x * np.asarray(x).mean()
        if self.kind == "counts":
            self.calls += 1
            return x * (1.0 / self.calls)
        if self.kind == "draws on the host":
            return x * self.noise.random(x.shape).astype("float32")
        if self.kind == "writes outside":
            self.mean += 0.1 * xp.mean(x, axis=0)
        if self.kind == "keeps outside":
            self.mean = 0.9 * self.mean + 0.1 * xp.mean(x, axis=0)
        return x + self.mean

    def backward(self, dout: Any) -> Any:
        return dout


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("reads a value", "a value is read from the device"),
        ("copies to NumPy", "a value is read from the device"),
        ("counts", "multiply is not given the same arrays and numbers in every call"),
        ("draws on the host", "multiply is not given the same arrays and numbers in every call"),
        ("writes outside", "add writes into an array that is not in the state"),
        ("keeps outside", "an array is kept from one call to the next, outside the state"),
    ],
)
def test_what_cannot_be_replayed_is_called(kind: str, cause: str) -> None:
    with pytest.warns(CaptureWarning, match=f"not captured but called each time, .*{cause}"):
        assert_same(lambda: network("cpu", Keeps(kind)), exactly=True, optimizer=SGD(0.01))


def test_an_optimizer_that_counts_is_called() -> None:
    class Decaying(Optimizer):
        step_number = 0

        def update(self, params: Any, grads: Any) -> None:
            self.step_number += 1
            for key in params:
                params[key] -= 0.1 / self.step_number * grads[key]

    with pytest.warns(CaptureWarning, match="multiply is not given the same") as warned:
        captured = trained(lambda: network("cpu"), True, optimizer=Decaying())
    assert len(warned) == 1
    np.testing.assert_equal(captured, trained(lambda: network("cpu"), False, optimizer=Decaying()))


def test_a_recording_that_fails_leaves_the_state(backend: Backend) -> None:
    if backend.name != "numpy":
        pytest.skip("NumPy's recording")
    calls = 0

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        nonlocal calls
        calls += 1
        state["total"] += x
        if isinstance(x, np.ndarray):
            return (x * 1.0,)
        return (x * float(x[0]),)

    state = {"total": np.zeros(2)}
    captured = backend.capture(function, state)
    captured(np.ones(2))
    with pytest.warns(CaptureWarning):
        captured(np.ones(2))
    captured(np.ones(2))
    np.testing.assert_array_equal(state["total"], [3.0, 3.0])
    assert calls == 3


def test_numpy_really_replays() -> None:
    calls = 0

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        nonlocal calls
        calls += 1
        xp = namespace_of(x)
        state["w"] += x
        first, second = x[0, ...], x[1:3]
        y = xp.where(xp.take(x, xp.astype(second, xp.int64)) > first, x[1:3], 0.0)
        z = xp.stack([xp.sum(y), xp.max(x, axis=0), xp.mean(state["w"])])
        z[1] = xp.astype(xp.count_nonzero(x > 1.0), z.dtype)
        return z, xp.reshape(xp.concat([y, y]), (2, 2)), xp.argmax(x), xp.zeros(2) + x[:2]

    def run(x: Any) -> tuple[Any, ...]:
        return captured(x)

    backend = get_backend("cpu")
    state, plain = {"w": np.zeros(4)}, {"w": np.zeros(4)}
    captured = backend.capture(function, state)
    inputs = [np.random.default_rng(i).permutation(4).astype("float64") for i in range(8)]
    kept = [run(x) for x in inputs]
    assert calls == 3
    for x, results in zip(inputs, kept, strict=True):
        for ours, expected in zip(results, function(plain, x), strict=True):
            assert ours.dtype == expected.dtype
            np.testing.assert_array_equal(ours, expected)
    np.testing.assert_array_equal(state["w"], plain["w"])
    run(np.asarray([2.0, -1.0, -4.0, 7.0]))  # indices that count from the end
    with pytest.raises(IndexError):
        run(np.asarray([0.0, 4.0, 0.0, 0.0]))


def test_arrays_that_are_filled_piece_by_piece() -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        xp = namespace_of(x)
        frame = xp.zeros((2, 4), dtype=x.dtype, device=x.device)
        frame[:, 1:3] = xp.reshape(x, (2, 2))
        frame[0, :] += x
        whole = xp.empty((2, 4), dtype=xp.int64, device=x.device)
        whole[...] = 7
        whole[1, ...] = x * 1.5  # as NumPy assigns: converted
        rows = xp.reshape(xp.permute_dims(frame, (1, 0)), (8,))
        return frame, whole, rows, xp.sum(frame, axis=1), xp.matmul(frame, x)

    captured = get_backend("cpu").capture(function, {})
    for i in range(6):
        x = np.random.default_rng(i).standard_normal(4)
        for ours, expected in zip(captured(x), function({}, x), strict=True):
            np.testing.assert_array_equal(ours, expected)
            assert ours.dtype == expected.dtype
    (replay,) = captured._replays.values()
    names = [entry[0] for entry in replay.__self__.log]
    assert names.count("_assigned") == 4  # adding to a part is no assignment besides


def test_takes_with_the_same_indices() -> None:
    def function(state: Any, chosen: Any) -> tuple[Any, ...]:
        xp = namespace_of(chosen)
        later = chosen + 1
        return tuple(xp.take(state[key], rows) for rows in (chosen, later) for key in ("a", "b", "short"))

    state = {"a": np.arange(9.0), "b": 10.0 + np.arange(9.0), "short": np.arange(5.0)}
    captured = get_backend("cpu").capture(function, state)
    for rows in ([0, 1], [3, 2], [2, 3], [1, 1], [-1, -5], [0, 3]):
        chosen = np.asarray(rows)
        for ours, expected in zip(captured(chosen), function(state, chosen), strict=True):
            np.testing.assert_array_equal(ours, expected)
    for rows in ([4, 0], [-6, 0]):  # too far for the short one only
        with pytest.raises(IndexError):
            captured(np.asarray(rows))


@pytest.mark.parametrize("transposed_b", [False, True])
@pytest.mark.parametrize("transposed_a", [False, True])
@pytest.mark.parametrize(("m", "k", "n"), [(3, 4, 5), (1, 4, 5), (3, 1, 5), (3, 4, 1), (1, 1, 1)])
def test_gemm_is_told_the_layout(m: int, k: int, n: int, transposed_a: bool, transposed_b: bool) -> None:
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


def test_gemm_refuses_what_it_cannot_do() -> None:
    x = np.ones((4, 6))
    with pytest.raises(ValueError, match="rows one after another"):
        gemm_shape(x[:, :4], x, np.ones((6, 4)).T)
    with pytest.raises(ValueError, match="contiguous matrix"):
        gemm_shape(x[:, ::2], x[:3], np.ones((4, 6)))
    for a, b in ((x, x), (x[:0], x.T), (x[:, :0], x[:0])):
        with pytest.raises(ValueError, match="not empty"):
            gemm_shape(a, b, np.ones((a.shape[0], b.shape[1])))


def test_a_batch_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hungry(Identity):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            if training:
                raise MemoryError
            return x

    net = network("cpu", Hungry())
    run = fit(net, X, LABELS, epochs=1, batch_size=100)
    with pytest.raises(
        BatchTooLargeError, match=r"^out of memory on cpu: a step with a batch of 100 .* size of 50$"
    ):
        list(run)
    monkeypatch.setattr(type(net.backend), "free_memory", 12_000)
    with pytest.raises(BatchTooLargeError, match=r"and 0 MB are free; try a batch size of about 49$"):
        list(fit(net, X, LABELS, epochs=1, batch_size=100))


def test_data_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Any, values: Any, dtype: Any = None) -> Any:
        raise MemoryError

    net = network("cpu", Identity())
    monkeypatch.setattr(type(net.backend), "asarray", full)
    needed = (X.nbytes + LABELS.nbytes) / 1e6
    with pytest.raises(
        MemoryError, match=rf"^out of memory on cpu: the data need {needed:.0f} MB; give fewer"
    ):
        fit(net, X, LABELS, epochs=1)
    monkeypatch.setattr(type(net.backend), "free_memory", 12_000_000)
    with pytest.raises(MemoryError, match=r" MB, 12 MB are free; give fewer samples, or images as uint8"):
        fit(net, X, LABELS, epochs=1)


class FakeCuda:
    """CuPy's `cuda` module as far as capturing uses it: a graph runs the function again."""

    class CUDARuntimeError(RuntimeError):
        pass

    runtime = property(lambda self: self)

    def __init__(self) -> None:
        self.log: list[str] = []
        self.run: Callable[[], Any] = lambda: None

    def MemoryPool(self) -> Any:  # noqa: N802
        return SimpleNamespace(malloc=None)

    def Device(self) -> Any:  # noqa: N802
        return SimpleNamespace(synchronize=lambda: self.log.append("synchronize"))

    def Stream(self, non_blocking: bool) -> Any:  # noqa: N802
        assert non_blocking
        return self

    def using_allocator(self, _: Any) -> Any:
        return nullcontext()

    def __enter__(self) -> None:
        self.log.append("stream")

    def __exit__(self, *_: Any) -> None:
        self.log.append("default stream")

    def begin_capture(self) -> None:
        self.log.append("begin")

    def end_capture(self) -> Any:
        self.log.append("end")
        if "fail" in self.log:
            raise self.CUDARuntimeError("the capture is broken")
        run = self.run
        return SimpleNamespace(launch=lambda: (self.log.append("launch"), run()))


def fake_capture(function: Any, state: Any, watch: Any = lambda: None) -> tuple[CupyCapture, FakeCuda]:
    cuda = FakeCuda()
    blas: Any = SimpleNamespace(on=lambda stream: nullcontext())
    return CupyCapture(function, [state], watch, SimpleNamespace(cuda=cuda), lambda: blas), cuda


def test_a_graph_is_made_once_a_shape_and_launched() -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        cuda.run = lambda: np.multiply(x, 2.0, out=state["out"][: len(x)])
        cuda.run()
        return (state["out"][: len(x)],)

    captured, cuda = fake_capture(function, {"out": np.zeros(3)})
    for i, n in enumerate([3, 3, 3, 2, 3]):
        np.testing.assert_array_equal(captured(np.full(n, i))[0], np.full(n, 2.0 * i))
    graph = ["synchronize", "stream", "begin", "end", "default stream", "launch"]
    assert cuda.log == [*graph, "launch", "launch"]


def test_a_capture_that_breaks_is_ended_and_the_function_called() -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        if cuda.log[-1:] == ["begin"]:
            cuda.log.append("fail")
            raise NotImplementedError("no products while capturing")
        return (x + 1.0,)

    captured, cuda = fake_capture(function, {})
    captured(np.ones(2))
    with pytest.warns(CaptureWarning, match="each time, .*NotImplementedError: no products while capturing"):
        results = [captured(np.ones(2)), captured(np.ones(2))]
    assert cuda.log == ["synchronize", "stream", "begin", "fail", "end", "default stream"]
    for (result,) in results:
        np.testing.assert_array_equal(result, [2.0, 2.0])


def test_a_graph_of_a_function_that_changes_something_else_is_refused() -> None:
    count = 0

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        nonlocal count
        count += 1
        return (x * count,)

    captured, _ = fake_capture(function, {}, watch=lambda: count)
    captured(np.ones(2))
    with pytest.warns(CaptureWarning, match="an attribute of a layer, the loss or the optimizer changes"):
        captured(np.ones(2))


def test_a_state_that_is_set_keeps_its_place_in_a_graph() -> None:
    def function(state: Any, x: Any) -> tuple[Any, ...]:
        state["total"] = state["total"] + x
        return (x,)

    state = {"total": np.zeros(2)}
    captured, cuda = fake_capture(function, state)
    captured(np.ones(2))
    total = state["total"]
    cuda.run = lambda: None
    captured(np.ones(2))
    assert state["total"] is total


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


def test_what_a_layer_computes_from_its_parameters_is_recorded(backend: Backend) -> None:
    class Decayed(Affine):
        """The gradient of an L2 penalty in the layer itself, as the book's networks add it."""

        def backward_params(self, dout: Any) -> None:
            super().backward_params(dout)
            self.grads["W"] = self.grads["W"] + 0.1 * self.params["W"]

    class WarmUp(SGD):
        """No change at first, when a step is recorded."""

        def numbers(self, step: int) -> tuple[float, ...]:
            return (0.0 if step < 12 else self.lr,)

    def make() -> Network:
        net = network(backend)
        return Network(
            [Decayed(**net.layers["Affine1"].params), ReLU(), Decayed(**net.layers["Affine2"].params)]
        )

    exactly = backend.device == "cpu"
    assert_same(make, exactly=exactly, optimizer=WarmUp(0.1))
    assert_same(
        make, exactly=exactly, optimizer=WarmUp(0.1), sampling="with-replacement", iterations=40, epochs=None
    )


class Decay(SGD):
    """A learning rate that changes with every step."""

    def numbers(self, step: int) -> tuple[float, ...]:
        return (self.lr / step,)


def test_numbers_that_change_from_step_to_step(backend: Backend) -> None:
    assert_same(lambda: network(backend), exactly=backend.device == "cpu", optimizer=Decay(0.5))
    seen: list[np.ndarray] = []
    net = network(backend)
    start = backend.to_numpy(net.flat_params["flat"]).copy()
    run = fit(
        net,
        X[:1],
        LABELS[:1],
        iterations=6,
        batch_size=1,
        rng=0,
        optimizer=Decay(1e-4),
        sampling="with-replacement",
    )
    for _ in run:
        seen.append(backend.to_numpy(net.flat_params["flat"]) - start)
    sizes = [np.abs(after - before).max() for before, after in pairwise([np.zeros_like(start), *seen])]
    np.testing.assert_allclose(sizes, [sizes[0] / step for step in range(1, 7)], rtol=2e-2)


def test_several_steps_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = get_backend("cpu")
    called = trained(lambda: network("cpu"), False, optimizer=Decay(0.5))
    monkeypatch.setattr(type(backend), "graph_steps", 4)
    seen: list[int] = []
    options = {"progress": lambda p: seen.append(p.step), "progress_steps": 3}
    np.testing.assert_equal(trained(lambda: network("cpu"), True, optimizer=Decay(0.5)), called)
    np.testing.assert_equal(trained(lambda: network("cpu"), True, optimizer=Decay(0.5), **options), called)
    assert seen == [7 * epoch + step for epoch in range(4) for step in (3, 6)]


def steps_of(function: Callable[..., Any], state: dict[str, np.ndarray]) -> None:
    """Six calls, captured and called: the same results and the same state."""
    other = {key: value.copy() for key, value in state.items()}
    captured = get_backend("cpu").capture(function, state)
    for i in range(6):
        x = np.random.default_rng(i).standard_normal((4, 3))
        for ours, expected in zip(captured(x), function(other, x.copy()), strict=True):
            np.testing.assert_array_equal(ours, expected)
        for key, value in other.items():
            np.testing.assert_array_equal(state[key], value)


def sets_a_key(xp: Any, state: Any, x: Any) -> Any:
    state["w"] = 0.9 * state["w"] + xp.sum(x, axis=0)
    return state["w"] * 1.0


def changes_an_array_after_use(xp: Any, state: Any, x: Any) -> Any:
    shift = np.zeros(3)
    h = x + shift
    shift += 0.5
    return h + shift


def keeps_a_number(xp: Any, state: Any, x: Any) -> Any:
    total = xp.sum(x)
    before = total
    total += 1.0
    return xp.stack([before, total])


def takes_a_number_out(xp: Any, state: Any, x: Any) -> Any:
    y = x * 2.0
    first = y[0, 0]
    y += 1.0
    return y * first


def where_of_two_dtypes(xp: Any, state: Any, x: Any) -> Any:
    return xp.where(x > 0.0, xp.astype(x, xp.float32), x)


def clips(xp: Any, state: Any, x: Any) -> Any:
    return xp.clip(x, -0.5, 0.5)


def takes_constant_rows(xp: Any, state: Any, x: Any) -> Any:
    return xp.take(x, np.asarray([2, 0]), axis=0)


def reduces_with_an_initial_value(xp: Any, state: Any, x: Any) -> Any:
    return np.add.reduce(x, axis=0, initial=5.0) + np.add.reduce(x)


def square_root(xp: Any, state: Any, x: Any) -> Any:
    return (x * x) ** 0.5 + (x * x) ** 2.0


@pytest.mark.parametrize(
    "body",
    [
        sets_a_key, changes_an_array_after_use, keeps_a_number, takes_a_number_out, where_of_two_dtypes,
        clips, takes_constant_rows, reduces_with_an_initial_value, square_root,
    ],
)  # fmt: skip
def test_replays_give_what_calls_give(body: Callable[..., Any]) -> None:
    calls = 0

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        nonlocal calls
        calls += 1
        return (body(namespace_of(x), state, x),)

    steps_of(function, {"w": np.zeros(3)})
    assert calls == 6 + 3  # called, and recorded


def sets_columns(xp: Any, state: Any, x: Any) -> Any:
    y = x * 1.0
    y[:, np.asarray([0, 1])] = 0.0
    return y


def sets_where(xp: Any, state: Any, x: Any) -> Any:
    y = x * 1.0
    y[y < 0.0] = 0.0
    return y


def adds_at(xp: Any, state: Any, x: Any) -> Any:
    np.add.at(state["w"], np.asarray([0, 0]), 1.0)
    return state["w"] + x


def sorts_in_place(xp: Any, state: Any, x: Any) -> Any:
    y = x * 1.0
    y.sort(axis=0)
    return y


def masks(xp: Any, state: Any, x: Any) -> Any:
    return x[x > 0.0]


def writes_out(xp: Any, state: Any, x: Any) -> Any:
    total = np.zeros((4, 3))
    np.cumsum(x, axis=0, out=total)
    return total


def reads_a_value(xp: Any, state: Any, x: Any) -> Any:
    state["w"] += x[0, ...]
    return x * float(xp.sum(state["w"]))


@pytest.mark.parametrize(
    "body", [sets_columns, sets_where, adds_at, sorts_in_place, masks, writes_out, reads_a_value]
)
def test_what_cannot_be_recorded_is_done_once_and_said(body: Callable[..., Any]) -> None:
    calls = 0

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        nonlocal calls
        calls += 1
        return (body(namespace_of(x), state, x),)

    with pytest.warns(CaptureWarning) as said:
        steps_of(function, {"w": np.zeros(3)})
    assert len(said) == 1
    assert calls == 6 + 6


def test_an_error_after_a_value_was_read_leaves_the_state() -> None:
    fails = False

    def function(state: Any, x: Any) -> tuple[Any, ...]:
        nonlocal fails
        state["w"] += x[0, ...]
        if isinstance(x, np.ndarray):
            return (x,)
        float(x[0, 0])
        state["w"] += 1.0
        state["v"].sort()
        fails = True
        raise ValueError("not for recorded arrays")

    state = {"w": np.zeros(3), "v": np.asarray([2.0, 1.0])}
    captured, x = get_backend("cpu").capture(function, state), np.ones((4, 3))
    captured(x)
    with pytest.warns(CaptureWarning, match="ValueError: not for recorded arrays"):
        captured(x)
    assert fails
    np.testing.assert_array_equal(state["w"], [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(state["v"], [2.0, 1.0])


def test_threads_record_each_for_itself() -> None:
    expected = trained(lambda: network("cpu"), False)
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(trained, lambda: network("cpu"), True) for _ in range(12)]
    for run in runs:
        np.testing.assert_equal(run.result(), expected)


def test_an_array_replaced_between_epochs() -> None:
    class Scaled(Identity):
        scale = np.ones(8, np.float32)

        def forward(self, x: Any, *, training: bool = False) -> Any:
            return super().forward(x, training=training) * self.scale

        def backward(self, dout: Any) -> Any:
            return dout * self.scale

    def run(capture: bool) -> np.ndarray:
        layer = Scaled()
        net = network("cpu", layer)
        for i, _ in enumerate(fit(net, X, LABELS, epochs=4, batch_size=50, rng=0, capture=capture)):
            layer.scale = np.full(8, 1.0 / (2 + i), np.float32)
        return net.flat_params["flat"].copy()

    np.testing.assert_array_equal(run(True), run(False))


def test_nothing_of_a_recording_is_kept_after_fit() -> None:
    net = network("cpu")
    list(fit(net, X, LABELS, epochs=2, batch_size=50, rng=0))
    assert len(pickle.dumps(net)) < 10_000
