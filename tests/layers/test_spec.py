"""`ArraySpec`: an array without its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from backends import Backend, namespace_of
from backprop.layers.checks import check_dout
from backprop.layers.spec import ArraySpec


def test_a_spec_is_all_but_the_numbers(backend: Backend) -> None:
    x = backend.asarray(np.ones((2, 3)), dtype="float32")
    spec = ArraySpec.of(x)
    assert (spec.kind, spec.xp, spec.shape, spec.dtype, spec.device) == (
        type(x), namespace_of(x), x.shape, x.dtype, x.device,
    )  # fmt: skip


def test_a_spec_stands_for_the_output(backend: Backend) -> None:
    spec = ArraySpec.of(backend.asarray(np.ones((2, 3)), dtype="float32"))
    check_dout("Layer1", backend.asarray(np.zeros((2, 3)), dtype="float32"), spec)
    with pytest.raises(ValueError, match=r"Layer1: expected dout \(2, 3\), got \(3, 2\)"):
        check_dout("Layer1", backend.asarray(np.zeros((3, 2)), dtype="float32"), spec)
    with pytest.raises(TypeError, match="Layer1: dout and output differ in dtype, float64 and float32"):
        check_dout("Layer1", backend.asarray(np.zeros((2, 3))), spec)
