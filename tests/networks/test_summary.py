"""The table of layers."""

from __future__ import annotations

import pytest

from backprop import Network, ReLU


def test_summary_of_other_shapes() -> None:
    assert "(N, 2, 2)" in Network([ReLU()]).summary((2, 2))
    with pytest.raises(ValueError, match="give input_shape"):
        Network([ReLU()]).summary()
