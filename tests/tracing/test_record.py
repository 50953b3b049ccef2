"""What one layer did."""

from __future__ import annotations

import numpy as np

from backprop import MeanSquaredError, Network
from backprop.layers import Layer

from .traces import residual, two_layers


def test_arrays_by_name() -> None:
    trace = two_layers()
    layer, loss = trace["Affine1"], trace.loss
    assert list(layer.arrays) == ["x", "y", "∂L/∂y", "∂L/∂x", "W", "∂L/∂W", "b", "∂L/∂b"]
    assert layer.arrays["∂L/∂W"] is layer.grads["W"]
    assert layer.arrays["∂L/∂x"] is layer.dinputs[0]
    assert list(loss.arrays) == ["x", "t", "L", "∂L/∂L", "∂L/∂x"]


def test_a_parameter_with_the_name_of_an_input() -> None:
    class Shifted(Layer):
        """y = x + the parameter x."""

        def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
            return x + self.params["x"]

        def backward(self, dout: np.ndarray) -> np.ndarray:
            self.grads["x"] = dout.sum(axis=0)
            return dout + 0.0

    network = Network([Shifted(x=np.asarray([5.0]))], MeanSquaredError())
    layer = network.trace(np.asarray([[1.0], [2.0]]), np.zeros((2, 1)))["Shifted1"]
    assert layer.arrays["x"].tolist() == [[1.0], [2.0]]
    assert layer.arrays["parameter x"].tolist() == [5.0]
    assert layer.arrays["∂L/∂parameter x"].tolist() == [13.0]


def test_a_sample_has_its_entries_and_the_parameters_of_all() -> None:
    layer = residual()["Residual1"]
    sample = layer.of_sample(1, 2)
    np.testing.assert_array_equal(sample.output, layer.output[1])
    np.testing.assert_array_equal(sample.dinputs[0], layer.dinputs[0][1])
    np.testing.assert_array_equal(sample.parts[0].dout, layer.parts[0].dout[1])
    assert sample.grads is layer.grads


def test_what_does_not_count_the_samples_stays_whole() -> None:
    trace = two_layers()
    loss = trace.loss.of_sample(2, 3)
    assert loss.output is trace.loss.output
    assert loss.inputs[1] == 1
    assert loss.dinputs[1] is None


def test_layers_may_fold_another_axis_into_the_samples() -> None:
    class Fold(Layer):
        """(N, T) to (N T, 1)."""

        def forward(self, x: np.ndarray, *, training: bool = False) -> np.ndarray:
            self.saved = x.shape
            return x.reshape(-1, 1)

        def backward(self, dout: np.ndarray) -> np.ndarray:
            return dout.reshape(self.saved)

    network = Network([Fold()], MeanSquaredError()).to(dtype="float64")
    layer = network.trace(np.arange(6.0).reshape(2, 3), np.zeros((6, 1))).of_sample(1)["Fold1"]
    assert layer.inputs[0].tolist() == [3.0, 4.0, 5.0]
    assert layer.output.shape == (6, 1)


def test_repr_is_short() -> None:
    trace = two_layers()
    assert repr(trace["Affine1"]) == "NodeTrace(Affine1: (3, 4) → (3, 5))"
    assert repr(trace.loss) == "NodeTrace(SoftmaxWithLoss: (3, 3) and (3,) → ())"
