"""What the check varies is put back as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends import Backend
from backprop import Network, Tanh
from backprop.gradcheck.check import subject_of
from backprop.gradcheck.variable import Variable

from .faults import stack


@pytest.mark.parametrize("in_place", [True, False])
def test_what_was_varied_is_as_it_was(in_place: bool, backend: Backend, rng: np.random.Generator) -> None:
    subject = subject_of(*stackable(rng), backend, 0, "float64")
    subject.gradients()
    slot = ("Affine1", "W")
    variable: Any = Variable(subject, slot)
    variable._in_place = variable._in_place and in_place
    before, whole = variable.values.copy(), subject.terms()

    def now() -> np.ndarray:
        return np.array(backend.to_numpy(subject.get(slot)))

    assert not np.array_equal(variable.entry(5, 9.0), whole)
    np.testing.assert_array_equal(now(), before)
    assert not np.array_equal(variable.whole(before + 1.0), whole)
    np.testing.assert_array_equal(now(), before)
    np.testing.assert_array_equal(variable.whole(before), whole)
    seen: list[np.ndarray] = []

    def fail(*_: Any) -> Any:
        seen.append(now())
        raise KeyError("f")

    subject.terms = fail  # type: ignore[method-assign]
    for use in (lambda: variable.entry(5, 9.0), lambda: variable.whole(before + 1.0)):
        with pytest.raises(KeyError):
            use()
        np.testing.assert_array_equal(now(), before)
    changed = before.copy()
    changed.reshape(-1)[5] = 9.0
    np.testing.assert_array_equal(seen, [changed, before + 1.0])


def stackable(rng: np.random.Generator) -> tuple[Network, list[np.ndarray]]:
    network, *inputs = stack(rng, Tanh())
    return network, inputs
