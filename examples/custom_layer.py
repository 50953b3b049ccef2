"""A custom layer: softplus, y = log(1 + exp(x)), first proven, then trained.

In this folder, `backprop check custom_layer:Softplus` proves it from a shell, with the same `case`.
"""

import numpy as np

from backprop import Affine, Network, check_gradients, fit
from backprop.backends import Array, namespace_of
from backprop.layers import Layer


class Softplus(Layer):
    """y = log(1 + exp(x)), which is max(x, 0) + log(1 + exp(-|x|)); dx = dout / (1 + exp(-x))."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = namespace_of(x)
        self.saved = x if training else None
        return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))

    def backward(self, dout: Array) -> Array:
        x = self.saved
        return dout * (0.5 + 0.5 * namespace_of(x).tanh(0.5 * x))

    @classmethod
    def case(cls, rng: np.random.Generator) -> tuple["Softplus", np.ndarray]:
        return cls(), rng.standard_normal((3, 4))


def affine(rows: int, columns: int, rng: np.random.Generator) -> Affine:
    return Affine(rng.standard_normal((rows, columns)).astype(np.float32), np.zeros(columns, np.float32))


def main() -> None:
    rng = np.random.default_rng(0)
    report = check_gradients(*Softplus.case(rng))
    print(report)
    assert report.passed

    x = rng.uniform(-1.0, 1.0, (1000, 2)).astype(np.float32)
    t = (x[:, 0] * x[:, 1] > 0).astype(np.int64)  # opposite quadrants: no straight line divides them

    network = Network([affine(2, 16, rng), Softplus(), affine(16, 2, rng)])
    last = fit(network, x, t, epochs=200, batch_size=20, rng=rng).history[-1]
    print(f"accuracy after {last.step:,} steps: {last.accuracy:.3f}")
    assert last.accuracy > 0.95


if __name__ == "__main__":
    main()
