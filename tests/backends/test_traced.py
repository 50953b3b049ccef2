"""What a traced array says of itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.traced import TracedArray, TracedNamespace

from .numpy.recording import same


def test_a_traced_array_looks_like_an_array() -> None:
    def body(xp: Any, s: Any, x: Any) -> Any:
        if not isinstance(x, TracedArray):
            return x.T * 1.0, x.mT * 1.0
        assert isinstance(xp, TracedNamespace)
        assert (x.shape, x.ndim, x.size, x.dtype, len(x)) == ((5, 4), 2, 20, np.float32, 5)
        assert x.device == "cpu"
        assert x.__array_namespace__() is xp
        assert xp.float32 is np.float32
        assert xp.finfo(x.dtype).bits == 32
        return x.T * 1.0, x.mT * 1.0

    same(body)
