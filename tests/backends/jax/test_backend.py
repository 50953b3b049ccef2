"""JAX's devices, and float64 and int64, which exist within a scope only."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from backends import BackendUnavailableError, backend_of, get_backend, namespace_of
from backprop import Affine, Network, SoftmaxWithLoss, TwoLayerNet, check_gradients, fit, numerical_gradient
from backprop.inputs import PrecisionWarning

jax = pytest.importorskip("jax")
jnp = jax.numpy

pytestmark = [pytest.mark.only("jax"), pytest.mark.usefixtures("backend")]

CURE = r"JAX has float64 only within `with jax.enable_x64\(True\):`"


def wide() -> Any:
    with jax.enable_x64(True):
        return jnp.asarray([1.0, 2.0], dtype="float64")


def test_using_the_backend_sets_no_flag() -> None:
    code = """
import jax
before = dict(jax.config.values)
import numpy as np
from backprop import Training, TwoLayerNet, check_gradients
network = TwoLayerNet(4, 3, 2, weight_init_std=1.0, rng=0).to(device="jax")
list(Training(network, np.eye(4, dtype="float32"), np.asarray([0, 1, 0, 1]), epochs=2, batch_size=2))
report = check_gradients(network, np.eye(4), np.asarray([0, 1, 0, 1]))
assert report.passed, str(report)
assert dict(jax.config.values) == before
assert not jax.config.jax_enable_x64
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_it_is_imported_only_when_it_is_used() -> None:
    code = "import sys, backprop; backprop.TwoLayerNet(4, 3, 2); assert 'jax' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "use",
    [
        lambda: get_backend("jax").asarray([1.0]),
        lambda: get_backend("jax").asarray([1, 2], dtype="float64"),
        lambda: get_backend("jax").asarray(wide()),
        lambda: get_backend("jax").xp.zeros(3, dtype=np.float64),
        lambda: get_backend("jax").xp.astype(jnp.zeros(3), "float64"),
        lambda: get_backend("jax").dtype("float64"),
        lambda: namespace_of(wide()),
        lambda: backend_of(wide()),
        lambda: SoftmaxWithLoss().forward(wide()[None], jnp.asarray([0])),
        lambda: TwoLayerNet(4, 3, 2, dtype="float64").to(device="jax"),
        lambda: TwoLayerNet(4, 3, 2).to(device="jax", dtype="float64"),
        lambda: numerical_gradient(lambda x: x.sum(), wide()),
    ],
)
def test_float64_outside_its_scope_is_refused(use: Any) -> None:
    with pytest.raises(TypeError, match=CURE):
        use()


def test_within_the_scope_float64_is_float64() -> None:
    backend = get_backend("jax")
    with backend.float64():
        assert backend.asarray([1.0]).dtype == np.float64
        assert namespace_of(wide()) is backend.xp
        assert backend.asarray([2**40]).dtype == np.int64
        assert backend.xp.int64 is jnp.int64
    assert backend.xp.int64 is jnp.int32


def test_whole_numbers_are_int32_if_they_fit() -> None:
    backend = get_backend("jax")
    for dtype in (None, "int64"):
        found = backend.asarray(np.asarray([-(2**31), 2**31 - 1]), dtype=dtype)
        assert found.dtype == np.int32
        assert found.tolist() == [-(2**31), 2**31 - 1]
        with pytest.raises(
            TypeError, match="expected whole numbers from -2147483648 to 2147483647, got 0 to 2147483648"
        ):
            backend.asarray(np.asarray([0, 2**31]), dtype=dtype)
    assert backend.asarray(np.asarray([2**32 - 1], np.uint64)).dtype == np.uint32


def test_host_values_are_copied() -> None:
    host = np.zeros(10_000, np.float32)
    array = get_backend("jax").asarray(host)
    host[0] = 1.0
    assert float(array[0]) == 0.0


def test_gradients_are_checked_in_float64_without_a_flag() -> None:
    assert check_gradients(
        TwoLayerNet(4, 3, 2, rng=0).to(device="jax"), np.eye(4), np.asarray([0, 1, 0, 1])
    ).passed
    x = jnp.asarray([[0.5, -1.0]])
    found = numerical_gradient(lambda x: jnp.sum(x**2), x)
    np.testing.assert_allclose(np.asarray(found), [[1.0, -2.0]], rtol=1e-8)


def test_a_device_that_is_not_there() -> None:
    if jax.default_backend() == "cpu":
        with pytest.raises(BackendUnavailableError, match=r'JAX finds no GPU .*pip install "jax\[cuda13\]"'):
            get_backend("jax:gpu")
        with pytest.raises(BackendUnavailableError, match=r'JAX finds no TPU .*pip install "jax\[tpu\]"'):
            get_backend("jax:tpu")
    with pytest.raises(BackendUnavailableError, match=r"this machine has \d+ of that kind; use 'jax:cpu:0'"):
        get_backend("jax:cpu:99")
    for name in ("jax:gpux", "jax:cpu:x"):
        with pytest.raises(BackendUnavailableError, match="no such device; use 'jax:cpu', 'jax:gpu'"):
            get_backend(name)


def test_what_is_known_of_the_machine() -> None:
    backend = get_backend("jax:cpu")
    assert backend.device == "cpu"
    assert backend.machine["backend"] == f"jax {jax.__version__}"
    assert pickle.loads(pickle.dumps(backend)) is backend
    assert backend.free_memory is None or backend.free_memory > 0
    backend.synchronize()


def test_running_out_of_memory_is_recognized() -> None:
    backend = get_backend("jax")
    assert backend.is_out_of_memory(
        jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating")
    )
    assert backend.is_out_of_memory(MemoryError())
    assert not backend.is_out_of_memory(jax.errors.JaxRuntimeError("INTERNAL: something else"))


def test_two_devices() -> None:
    code = """
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 2)
from backprop import Training, TwoLayerNet
from backprop.backends import backend_of, get_backend
first, second = get_backend("jax:cpu"), get_backend("jax:cpu:1")
assert (first.device, second.device) == ("cpu", "cpu:1")
x, t = np.random.default_rng(0).standard_normal((600, 4)).astype("float32"), np.arange(600) % 2
x[:, 0] += 3 * t
found = []
for backend in (first, second):
    network = TwoLayerNet(4, 3, 2, weight_init_std=0.5, rng=0).to(device=backend)
    for metrics in Training(network, x, t, epochs=60, batch_size=60, rng=0):
        found.append(metrics.loss)
    assert all(backend_of(p) is backend for p in network.params.values())
assert found[:60] == found[60:]
try:
    network.predict(first.asarray(x))
except TypeError as error:
    assert "the network is on jax (cpu:1) but the input is on jax (cpu)" in str(error)
else:
    raise AssertionError
"""
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr


def test_layers_work_in_a_function_that_jax_compiles() -> None:
    backend = get_backend("jax")
    network = TwoLayerNet(4, 3, 2, rng=0).to(device=backend)
    x, t = backend.asarray(np.eye(4, dtype="float32")), backend.asarray(np.asarray([0, 1, 0, 1]))
    expected = network.predict(x)
    with jax.checking_leaks():
        np.testing.assert_allclose(jax.jit(network.predict)(x), expected, rtol=1e-6)
    params = dict(network.params)

    @jax.jit
    def loss(params: Any, x: Any, t: Any) -> Any:
        y = Affine(params["W1"], params["b1"]).forward(x)
        y = jnp.maximum(y, 0.0)
        return SoftmaxWithLoss().forward(Affine(params["W2"], params["b2"]).forward(y), t)

    np.testing.assert_allclose(loss(params, x, t), network.loss(x, t), rtol=1e-6)
    assert jnp.isfinite(jax.grad(loss)(params, x, t)["W1"]).all()


def test_the_first_use_may_be_in_a_function_that_jax_compiles() -> None:
    code = """
import jax
from backprop import Affine
x = jax.numpy.ones((2, 3))
assert jax.jit(lambda W, b: Affine(W, b).forward(x))(x.T, jax.numpy.zeros(2))[0, 0] == 3.0
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def test_a_network_of_its_arrays_is_on_its_device() -> None:
    W, b = jnp.ones((3, 2)), jnp.zeros(2)
    network = Network([Affine(W, b)])
    assert network.backend is get_backend("jax")
    assert network.predict(jnp.ones((1, 3))).shape == (1, 2)


def test_float64_data_are_converted_and_it_is_said() -> None:
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((40, 4)), rng.integers(0, 3, 40).astype("float64")
    narrow, wide = (TwoLayerNet(4, 5, 3, weight_init_std=1.0, device="jax", rng=0) for _ in range(2))
    fit(narrow, x.astype("float32"), t.astype("int64"), epochs=2, batch_size=10, rng=0, verbose=False)
    with pytest.warns(PrecisionWarning, match="float64 input is converted to the network's float32"):
        fit(wide, x, t, epochs=2, batch_size=10, rng=0, verbose=False)
    np.testing.assert_array_equal(narrow.flat_params["flat"], wide.flat_params["flat"])
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_copy_of_a_wide_network_is_not_made_narrower(copied: Any) -> None:
    with jax.enable_x64(True):
        network = TwoLayerNet(4, 3, 2, dtype="float64", device="jax", rng=0)
        assert copied(network).dtype == "float64"
    with pytest.raises(TypeError, match=CURE):
        copied(network)
