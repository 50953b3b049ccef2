"""A custom backend, registered from outside the package: JAX (`pip install jax`).

JAX's arrays are immutable and have no views, so the network concatenates its flat vector when it is
read, and splits it when it is set.
"""

import jax
import jax.numpy as jnp
import numpy as np

from backprop import Training, TwoLayerNet, check_gradients
from backprop.backends import Array, Backend, register_backend
from backprop.datasets import load_mnist


@register_backend
class JaxBackend(Backend):
    name = "jax"
    libraries = ("jax", "jaxlib")

    def __init__(self, device: str | None = None) -> None:
        jax.config.update("jax_enable_x64", True)
        self.device, self.xp = str(jax.devices(device)[0]), jnp

    @property
    def version(self) -> str:
        return jax.__version__

    @property
    def _device(self) -> jax.Device:
        return next(device for device in jax.devices() if str(device) == self.device)

    def to_numpy(self, array: Array) -> np.ndarray:
        return np.asarray(array)


(x, t), test = load_mnist()
network = TwoLayerNet(784, 50, 10, device="jax", rng=0)
print(f"{network} with JAX {network.backend.version}")

report = check_gradients(network, x[:3], t[:3], elements=10)
print(report)
assert report.passed

for metrics in Training(network, x, t, iterations=600, rng=0, test=test):
    print(f"step {metrics.step}: test accuracy {metrics.test_accuracy:.4f}")
assert metrics.test_accuracy > 0.85
