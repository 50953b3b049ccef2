"""A network's layers by name."""

from __future__ import annotations

import pytest

from backprop import Network, Tanh, TwoLayerNet


def test_a_layer_or_parameter_that_is_not_there_is_told_with_those_that_are() -> None:
    network = TwoLayerNet(4, 3, 2, rng=0)
    with pytest.raises(
        KeyError, match=r"no layer 1: expected one of 'Affine1', .*values\(\)\)\[1\]"
    ) as caught:
        network.layers[1]  # type: ignore[index]
    by_position = eval(caught.value.args[0].partition("by position: ")[2], {"network": network})
    assert by_position is network.layers["Relu1"]
    with pytest.raises(KeyError, match="no layer 'Relu2': expected one of 'Affine1', 'Relu1', 'Affine2'\"$"):
        network.layers["Relu2"]
    assert network.layers.get("Relu2") is None
    with pytest.raises(KeyError, match="no parameter 'W3': this network has W1, b1, W2, b2"):
        network.params["W3"]
    assert "W3" not in network.params
    with pytest.raises(KeyError, match="no state 'running_mean1': this network has none"):
        network.state["running_mean1"]


def test_a_layer_without_parameters_can_be_replaced() -> None:
    network = TwoLayerNet(4, 3, 2, rng=0)
    old, new = network.layers["Relu1"], Tanh()
    network.layers["Relu1"] = new
    assert network.layers["Relu1"] is new
    assert new.name == "Relu1"
    with pytest.raises(ValueError, match="this layer is already in a network or block"):
        Network([new])
    Network([old])  # it is free again
    for name, layer in (("Affine1", Tanh()), ("Relu1", network.layers["Affine1"]), ("Relu2", Tanh())):
        with pytest.raises(TypeError, match=f"^{name}: only a layer without parameters can be replaced"):
            network.layers[name] = layer
    with pytest.raises(TypeError, match="build a new Network"):
        del network.layers["Relu1"]
