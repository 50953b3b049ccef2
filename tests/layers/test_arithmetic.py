"""Addition and multiplication of two inputs."""

from __future__ import annotations

from typing import Any

import pytest

from backends import Backend
from backprop import Mul
from backprop.layers import Add


@pytest.mark.parametrize("layer", [Add, Mul])
def test_two_inputs_that_do_not_fit(layer: Any, backend: Backend) -> None:
    x = backend.asarray([1.0, 2.0])
    with pytest.raises(ValueError, match=r"expected inputs of one shape, got \(2,\) and \(1,\)"):
        layer().forward(x, backend.asarray([1.0]))
    with pytest.raises(TypeError, match="y and x differ in dtype"):
        layer().forward(x, backend.asarray([1.0, 2.0], dtype="float32"))
    for pair in ((x, 2.0), (2.0, x)):  # a number and an array would be broadcast
        with pytest.raises(TypeError, match="expected an array"):
            layer().forward(*pair)
