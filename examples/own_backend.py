"""A custom backend, registered from outside the package: ndonnx, whose arrays write an ONNX model.

`network.to(device="ndonnx")` computes the same layers with arrays that stand for a model's values. The model
then runs wherever ONNX does, without Python. `pip install ndonnx onnxruntime`
"""

import sys

import numpy as np

from backprop import TwoLayerNet, fit
from backprop.backends import Array, Backend, register_backend
from backprop.datasets import load_mnist

try:
    import ndonnx
    import onnxruntime
except ModuleNotFoundError as error:
    print(f"{error.name} is missing: pip install ndonnx onnxruntime")
    sys.exit()


@register_backend
class NdonnxBackend(Backend):
    name = "ndonnx"
    libraries = ("ndonnx",)

    def __init__(self, device: str | None = None) -> None:
        self.device, self.xp = "cpu", ndonnx
        self.verify()

    @property
    def version(self) -> str:
        return ndonnx.__version__

    @property
    def _device(self) -> None:
        """Its functions take no name of a device."""

    @staticmethod
    def device_of(array: Array) -> str:
        return "cpu"

    def to_numpy(self, array: Array) -> np.ndarray:
        return np.asarray(array.unwrap_numpy())


(x, t), (x_test, t_test) = load_mnist()
network = TwoLayerNet(784, 50, 10, rng=0)
fit(network, x, t, iterations=600, rng=0)

images = ndonnx.argument(shape=("N", 784), dtype=ndonnx.float32)
scores = network.to(device="ndonnx").forward(images)
model = ndonnx.build({"images": images}, {"scores": scores})
print(f"an ONNX model of {len(model.graph.node)} nodes")

session = onnxruntime.InferenceSession(model.SerializeToString())
(found,) = session.run(None, {"images": x_test})
assert np.abs(found - network.predict(x_test)).max() < 1e-4
accuracy = (found.argmax(axis=1) == t_test).mean()
print(f"its test accuracy: {accuracy:.4f}")
assert accuracy > 0.85
