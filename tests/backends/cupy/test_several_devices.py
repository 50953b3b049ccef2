"""A network on one GPU, while the thread's current device is another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from backends import Backend, BackendUnavailableError, backend_of, get_backend, namespace_of
from backprop import Adam, MultiLayerNet, Network, Training

X = np.random.default_rng(0).standard_normal((240, 6)).astype("float32")
T = np.random.default_rng(1).integers(0, 3, 240)

pytestmark = pytest.mark.only("cupy")


@pytest.fixture
def second(backend: Backend) -> Iterator[Backend]:
    """The backend of the second device, while the first is the current one."""
    try:
        found = get_backend("gpu:1")
    except BackendUnavailableError as error:
        pytest.skip(str(error))
    get_backend("gpu:0")
    yield found
    get_backend("gpu:0")


def current() -> int:
    import cupy

    return int(cupy.cuda.runtime.getDevice())


def network(device: str) -> Network:
    options: dict[str, Any] = {"use_batchnorm": True, "dropout_ratio": 0.2, "weight_decay_lambda": 1e-3}
    return MultiLayerNet(6, [8, 8], 3, **options, device=device, rng=3)


def trained(net: Network, **options: Any) -> list[Any]:
    """The parameters and the history of a training; a `CaptureWarning` is an error."""
    options = {"test": (X[:50], T[:50]), "epochs": 3, "batch_size": 40, "rng": 0, **options}
    metrics = list(Training(net, X, T, optimizer=Adam(0.01), **options))
    return [
        net.backend.to_numpy(net.flat_params["flat"]),
        [(m.loss, m.accuracy, m.test_loss) for m in metrics],
    ]


def resumed(device: str, save_on: str) -> list[Any]:
    """Like `trained`, stopped within the second epoch, saved and resumed while another device is current."""

    def stop(training: Training) -> None:
        if training.step == 9:
            training.stop()

    options: dict[str, Any] = {"epochs": 3, "batch_size": 40, "rng": 0, "test": (X[:50], T[:50])}
    first = Training(network(device), X, T, **options, optimizer=Adam(0.01), hook=stop, hook_steps=3)
    get_backend(save_on)
    list(first)
    get_backend(save_on)
    checkpoint = first.checkpoint()
    net = network(device)
    get_backend(save_on)
    return trained(net, resume=checkpoint)


def in_a_thread(function: Callable[[], Any]) -> Any:
    """What the function returns in a thread of its own, whose current device is the first."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    assert found, "the thread has failed"
    return found[0]


def test_naming_a_device_makes_it_the_current_one(second: Backend) -> None:
    for i in (1, 0, 1):
        backend = get_backend(f"gpu:{i}")
        assert current() == i
        assert backend.asarray([1.0]).device.id == i
        get_backend("gpu")
        assert current() == i  # only a device that is named
    array = second.asarray([1.0])
    assert in_a_thread(lambda: (get_backend("gpu:1"), current())[1]) == 1
    get_backend("gpu:0")
    assert (backend_of(array), current()) == (second, 0)
    assert namespace_of(array) is namespace_of(get_backend("gpu:0").asarray([1.0]))


def test_trainings_on_two_devices_in_turn(second: Backend) -> None:
    expected = trained(network("gpu:0"))
    net = network("gpu:1")
    for device in ("gpu:0", "gpu:1"):
        get_backend(device)
        np.testing.assert_equal(trained(network("gpu:1").to(device="gpu:1")), expected)
    get_backend("gpu:0")
    np.testing.assert_equal(trained(net), expected)
    assert current() == 0


def test_a_training_is_saved_and_resumed_while_another_device_is_current(second: Backend) -> None:
    expected = resumed("gpu:0", save_on="gpu:0")
    np.testing.assert_equal(resumed("gpu:1", save_on="gpu:0"), expected)


@pytest.mark.parametrize("callback", ["hook", "progress"])
def test_a_callback_that_leaves_another_device_as_the_current_one(callback: str, second: Backend) -> None:
    options: dict[str, Any] = {f"{callback}_steps": 2, callback: lambda _: get_backend("gpu:1")}
    expected = trained(network("gpu:0"), **{**options, callback: lambda _: None})
    np.testing.assert_equal(trained(network("gpu:0"), **options), expected)
    assert current() == 0


def test_trainings_on_two_devices_in_two_threads(second: Backend) -> None:
    expected = trained(network("gpu:0"))
    nets = [network(f"gpu:{i}") for i in range(2)]
    found: dict[int, Any] = {}
    end = threading.Barrier(2)  # CuPy destroys a thread's cuBLAS handle with it, which no capture survives

    def train(i: int) -> None:
        try:
            found[i] = trained(nets[i])
        finally:
            end.wait()

    threads = [threading.Thread(target=train, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(2):
        np.testing.assert_equal(found[i], expected)


def test_a_network_is_used_while_another_device_is_current(second: Backend) -> None:
    def results(net: Network) -> list[Any]:
        to_numpy, asarray = net.backend.to_numpy, net.backend.asarray
        x, t = asarray(X[:5]), asarray(T[:5])
        return [
            to_numpy(net.predict(x)),
            to_numpy(net.predict(asarray((X > 0).astype("uint8")))),
            to_numpy(net.loss(x, t)),
            net.evaluate(x, t),
            {name: to_numpy(value) for name, value in net.gradient(x, t).items()},
            {name: to_numpy(value) for name, value in net.numerical_gradient(x, t).items()},
            net.trace(x, t).value,
            to_numpy(net.to(dtype="float64").flat_params["flat"]),
        ]

    expected = results(network("gpu:0"))
    net = network("gpu:1")
    get_backend("gpu:0")
    np.testing.assert_equal(results(net), expected)
    np.testing.assert_equal(in_a_thread(lambda: results(net)), expected)


def test_a_recording_belongs_to_its_device(second: Backend) -> None:
    x = second.asarray(X[:8, :])

    def step(state: Any, x: Any) -> tuple[Any, ...]:
        xp = namespace_of(x)
        state["total"][...] = state["total"] + xp.sum(x)
        return (xp.matmul(x, xp.matrix_transpose(x)),)

    total = second.asarray(0.0, dtype="float32")
    replay = second.record(step, [{"total": total}], [x])
    for _ in range(2):
        (product,) = replay(x)
        assert second.owns(product)
        np.testing.assert_allclose(second.to_numpy(product), X[:8] @ X[:8].T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second.to_numpy(total), 2.0 * X[:8].sum(), rtol=1e-4)
    for verdict in (
        second.agree(product, second.asarray(second.to_numpy(product))),
        second.updates_agree(product, product, product),
    ):
        assert second.owns(verdict)
        assert bool(verdict)
    assert current() == 0


def test_a_product_on_another_device_is_refused(second: Backend) -> None:
    x = second.asarray(X[:6, :])
    with pytest.raises(ValueError, match="a product of an array on GPU 1, while this thread uses GPU 0"):
        second.xp.matmul(x, x)


def test_free_memory_is_the_device_s(second: Backend) -> None:
    import cupy

    first = get_backend("gpu:0")
    cupy.get_default_memory_pool().free_all_blocks()
    before = second.free_memory - first.free_memory
    with cupy.cuda.Device(1):
        del_me = cupy.empty(2**26, "uint8")
        del del_me  # the device's pool keeps it
        assert second.free_memory - first.free_memory >= before + 2**26
        cupy.get_default_memory_pool().free_all_blocks()
