"""NumPy's backend."""

from __future__ import annotations

import numpy as np

from .recording import backend


def test_arrays_agree_bit_for_bit() -> None:
    for dtype in ("float32", "float64"):
        x = np.asarray([1.0, 0.0, np.nan], dtype)
        assert backend.agree(x, x.copy())
        assert backend.agree(x, np.asarray([1.0, 0.0, -np.nan], dtype))
        for other in ([np.nextafter(x[0], x[1]), 0.0, np.nan], [1.0, -0.0, np.nan], [1.0, 0.0, 1.0]):
            assert not backend.agree(x, np.asarray(other, dtype))
    assert not backend.agree(np.asarray([1, 2]), np.asarray([1, 3]))
