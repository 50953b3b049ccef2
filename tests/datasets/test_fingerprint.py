"""Whether data are those of a run."""

from __future__ import annotations

import numpy as np

from backprop.datasets import Dataset, data_digest


def test_the_digest_is_of_values_shapes_and_dtypes() -> None:
    x, t = np.arange(12.0).reshape(3, 4), np.asarray([0, 1, 2])
    digest = data_digest(Dataset("a", x, t, x[:0], t[:0]))
    assert data_digest(Dataset("b", np.asfortranarray(x), t, x[:0], t[:0])) == digest
    others = [
        (x.astype(">f8"), t, x[:0]),
        (x, t, x[:0, :0]),
        (x[:, ::-1], t, x[:0]),
        (x.reshape(3, 2, 2), t, x[:0]),
    ]
    assert len({data_digest(Dataset("a", a, b, c, t[:0])) for a, b, c in others} | {digest}) == 5
