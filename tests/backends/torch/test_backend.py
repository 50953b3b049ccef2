"""PyTorch as a backend: what depends on the device, on a stand-in for a GPU."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import BatchTooLargeError, Identity, Network, Training

torch = pytest.importorskip("torch")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402 - it needs PyTorch

from backends.torch.backend import TorchBackend  # noqa: E402

pytestmark = pytest.mark.only("torch")


class Module:
    """The module `torch`, with other attributes."""

    def __init__(self, **others: Any) -> None:
        vars(self).update(others)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def on_gpu(**others: Any) -> TorchBackend:
    made = TorchBackend("cpu")
    made.device, made._torch = "cuda:1", Module(**others)
    return made


def test_only_cuda_records(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (backend.can_record, backend.replays_exactly, backend.graph_steps) == (False, True, 1)
    with pytest.raises(NotImplementedError, match="TorchBackend has no recordings"):
        backend.record(lambda: (), [], [])
    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *_, device: SimpleNamespace(device=device))
    monkeypatch.setattr(TorchBackend, "verify", lambda self: None)
    made = TorchBackend("cuda:1")
    monkeypatch.setattr(torch, "empty", empty)
    assert (made.can_record, made.replays_exactly, made.graph_steps) == (True, False, 50)
    assert not TorchBackend("meta").can_record


def test_the_memory_left_on_a_gpu(backend: Backend) -> None:
    def number(value: Any) -> Any:
        return lambda device: value if device == "cuda:1" else pytest.fail(f"asked for {device}")

    cuda = SimpleNamespace(
        mem_get_info=number((1000, 9000)), memory_reserved=number(500), memory_allocated=number(200)
    )
    assert on_gpu(cuda=cuda).free_memory == 1300
    assert backend.free_memory is None


def test_waiting_for_a_gpu(backend: Backend) -> None:
    waited: list[str] = []
    on_gpu(cuda=SimpleNamespace(synchronize=waited.append)).synchronize()
    backend.synchronize()
    assert waited == ["cuda:1"]


@pytest.mark.parametrize(
    ("matmul", "tf32"),
    [
        ({"fp32_precision": "tf32"}, True),
        ({"fp32_precision": "none"}, False),
        ({"fp32_precision": "ieee"}, False),
        ({"allow_tf32": True}, True),  # before PyTorch 2.9
        ({"allow_tf32": False}, False),
    ],
)
def test_replays_are_compared_as_coarsely_as_products_round(
    matmul: dict[str, Any], tf32: bool, backend: Backend
) -> None:
    backends = SimpleNamespace(cuda=SimpleNamespace(matmul=SimpleNamespace(**matmul)))
    cuda = SimpleNamespace(get_device_name=lambda device: f"GPU of {device}")
    gpu = on_gpu(backends=backends, cuda=cuda)
    x, near, far = (backend.asarray([1.0, y], dtype="float32") for y in (1.0, 1.005, 1.5))
    assert bool(gpu.agree(x, near)) is tf32
    assert bool(gpu.updates_agree(x * 0.0, x, near)) is tf32
    assert not gpu.agree(x, far)
    assert not backend.agree(x, x * (1.0 + 1e-6))
    assert gpu.machine["TF32"] is tf32
    assert gpu.machine["GPU"] == "GPU of cuda:1"


def test_the_switch_for_tf32_is_pytorchs(backend: Any) -> None:
    matmul, before = torch.backends.cuda.matmul, torch.backends.cuda.matmul.fp32_precision
    assert backend._tf32 is False
    try:
        matmul.fp32_precision = "tf32"
        assert backend._tf32 is True
    finally:
        matmul.fp32_precision = before


OUT_OF_MEMORY = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: …"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_lack_of_memory_names_a_batch_size(error: Exception, backend: Backend) -> None:
    class Hungry(Identity):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            if training:
                raise error
            return x

    x, t = np.ones((100, 3), "float32"), np.zeros(100, np.int64)
    with pytest.raises(BatchTooLargeError, match=r"^out of memory on cpu: .* try a batch size of 25$"):
        list(Training(Network([Hungry()]).to(device=backend), x, t, epochs=1, batch_size=50))


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_a_lack_of_memory_for_the_data(
    error: Exception, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise error

    net = Network([Identity()]).to(device=backend)
    monkeypatch.setattr(backend, "asarray", full)
    with pytest.raises(MemoryError, match="^out of memory on cpu: the data need"):
        Training(net, np.ones((10, 3), "float32"), np.zeros(10, np.int64), epochs=1)


def test_other_errors_stay_what_they_are(backend: Backend) -> None:
    class Broken(Identity):
        def forward(self, x: Any, *, training: bool = False) -> Any:
            if training:
                raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
            return x

    x, t = np.ones((100, 3), "float32"), np.zeros(100, np.int64)
    with pytest.raises(RuntimeError, match="^mat1 and mat2 shapes"):
        list(Training(Network([Broken()]).to(device=backend), x, t, epochs=1))
    assert not backend.is_out_of_memory(ValueError("out of memory"))


def test_pytorchs_own_error_without_memory(backend: Backend) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert backend.is_out_of_memory(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_a_product_is_written_into_its_place(dtype: str, backend: Backend, rng: np.random.Generator) -> None:
    def matrix(*shape: int) -> Any:
        return backend.asarray(rng.standard_normal(shape), dtype=dtype)

    xp, a, b = backend.xp, matrix(7, 33), matrix(33, 5)
    transposed = xp.matrix_transpose(matrix(33, 7))
    wide = "float64" if dtype == "float32" else "float32"
    for left, out in (
        (a, matrix(7, 5)),
        (transposed, matrix(7, 5)),
        (a[0, :], matrix(5)),
        (a, xp.matrix_transpose(matrix(5, 7))),
        (a, backend.asarray(np.zeros((7, 5)), dtype=wide)),
        (a[:1, :], matrix(7, 5)),
        (a, matrix(2, 7, 5)),
    ):
        address = out.data_ptr()
        backend.write_out(out, xp.matmul, left, b)
        assert out.data_ptr() == address
        expected = xp.broadcast_to(xp.astype(xp.matmul(left, b), out.dtype), out.shape)
        np.testing.assert_array_equal(backend.to_numpy(out), backend.to_numpy(expected))
    with pytest.raises(RuntimeError, match="must match the existing size"):
        backend.write_out(matrix(6, 5), xp.matmul, a, b)


def test_a_product_in_its_place_needs_no_other_memory(backend: Backend) -> None:
    out, made = backend.asarray(np.zeros((3, 3))), []

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made.append(str(function))
            return function(*args, **(kwargs or {}))

    with Seen():
        backend.write_out(out, backend.xp.matmul, out + 1.0, out + 2.0)
    assert made == ["aten.add.Tensor", "aten.add.Tensor", "aten.mm.out"]


def test_reading_several_arrays_at_once(backend: Backend) -> None:
    values: list[Any] = [
        np.asarray(True), np.arange(3, dtype="uint8"), np.arange(6.0).reshape(2, 3), np.zeros((0, 4), "float32"),
        np.asarray([1.5, math.nan], "float16"), np.asarray(-7), np.arange(4.0)[::2],
    ]  # fmt: skip
    arrays = [backend.asarray(x) for x in values]
    arrays[2] = backend.xp.matrix_transpose(arrays[2])
    values[2] = values[2].T
    gpu = on_gpu()
    for found in (gpu.read(*arrays), backend.read(*arrays)):
        for x, y in zip(found, values, strict=True):
            np.testing.assert_array_equal(x, y, strict=True)
    assert gpu.read() == []
    np.testing.assert_array_equal(gpu.read(arrays[1])[0], values[1], strict=True)
