"""Copies on the host."""

from __future__ import annotations

import numpy as np

from backends import Backend
from backprop.gradcheck.subject import on_host


def test_what_comes_to_the_host_is_a_copy_in_float64(backend: Backend) -> None:
    for values in (
        np.ones(2, np.float32),
        np.ones(2, np.int64),
        np.ones(2),
        backend.asarray([1.0, 1.0]),
        [1, 1],
    ):
        host = on_host(values)
        assert (type(host), host.dtype, host.tolist()) == (np.ndarray, np.float64, [1.0, 1.0])
        assert not isinstance(values, np.ndarray) or not np.may_share_memory(host, values)
    assert on_host(3).dtype == np.float64
