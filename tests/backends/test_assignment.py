"""Item assignment as a function."""

from __future__ import annotations

import numpy as np

from backends import Backend, add_at, set_at


def test_values_are_set_and_added_at_an_index(backend: Backend) -> None:
    x = backend.asarray([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], dtype="float32")
    x = set_at(x, (..., slice(0, 3, 2)), backend.asarray([[7.0, 8.0], [9.0, 10.0]], dtype="float32"))
    x = add_at(x, (1, ...), 0.5)
    np.testing.assert_array_equal(backend.to_numpy(x), [[7.0, 1.0, 8.0], [9.5, 4.5, 10.5]])
    assert str(x.dtype).endswith("float32")


def test_an_array_with_views_is_changed_itself(backend: Backend) -> None:
    x = backend.asarray([1.0, 2.0], dtype="float32")
    assert (set_at(x, 0, 3.0) is x) == (add_at(x, 1, 3.0) is x) == backend.has_views
