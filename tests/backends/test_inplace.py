"""Mappings whose arrays are written into, never replaced."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import backends
from backends import Backend


@pytest.mark.changes_arrays
def test_setting_a_key_writes_into_its_array(backend: Backend) -> None:
    place = backend.asarray([1.0, 2.0])
    kept = backends.InPlaceDict(a=place)
    kept["a"] = backend.asarray([3.0, 4.0])
    assert (kept["a"] is place, backend.to_numpy(place).tolist()) == (True, [3.0, 4.0])
    kept |= {"a": 5.0}
    assert (kept["a"] is place, backend.to_numpy(place).tolist()) == (True, [5.0, 5.0])
    kept["a"] += 1.0
    assert (kept["a"] is place, kept.setdefault("a") is place) == (True, True)
    for wrong in (backend.asarray([1.0]), backend.asarray(1.0), backend.asarray([[1.0, 2.0]])):
        with pytest.raises(ValueError, match=r"a: expected shape \(2,\), got \("):
            kept["a"] = wrong
    with pytest.raises(TypeError, match="a: expected an array or a number, got a list"):
        kept["a"] = [1.0, 2.0]
    for new in (lambda: kept.update(b=place), lambda: kept.setdefault("b", place)):
        with pytest.raises(KeyError, match="no array 'b' here: there are a"):
            new()
    for delete in (lambda: kept.pop("a"), kept.popitem, kept.clear, lambda: kept.__delitem__("a")):
        with pytest.raises(TypeError, match=r"cannot be deleted; set one to 0\.0"):
            delete()
    assert backend.to_numpy(place).tolist() == [6.0, 6.0]
    kept["a"] = backend.asarray([7.0, 8.0], dtype="float32")
    assert (kept["a"] is place, backend.to_numpy(place).tolist()) == (True, [7.0, 8.0])
    assert place.dtype == backend.dtype("float64")
    kept.write_out("a", backend.xp.sum, backend.asarray([[1.0, 2.0], [5.0, 4.0]]), axis=0)
    assert (kept["a"] is place, backend.to_numpy(place).tolist()) == (True, [6.0, 6.0])
    with pytest.raises(KeyError, match="no array 'b' here: there are a"):
        kept.write_out("b", backend.xp.sum, place)
    for copied in (copy.copy(kept), copy.deepcopy(kept), pickle.loads(pickle.dumps(kept))):
        assert type(copied) is dict
        assert backend.to_numpy(copied["a"]).tolist() == [6.0, 6.0]


def test_an_array_of_another_library_is_refused(backend: Backend) -> None:
    other = np.asarray([1, 2])
    if backend.owns(other):
        pytest.skip("this is NumPy's own")
    mapping = backends.InPlaceDict(a=backend.asarray([1.0, 2.0]))
    with pytest.raises(TypeError, match=r"^a: expected an array of <backend .*>, got one of <backend numpy"):
        mapping["a"] = other
