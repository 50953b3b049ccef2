"""The contract of a backend, held by every one."""

from __future__ import annotations

import copy
import inspect
import pickle

import numpy as np
import pytest

import backends
from backends import Backend, backend_of, get_backend, namespace_of

DTYPES = ["float32", "float64", "int64", "uint8", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_round_trip(dtype: str, backend: Backend) -> None:
    host = np.asarray([[0, 1, 1], [1, 0, 1]], dtype=dtype)
    array = backend.asarray(host)
    assert array.dtype == backend.dtype(dtype)
    assert backends.dtype_name(array.dtype) == dtype
    assert backend.owns(array)
    assert backend_of(array) is backend
    assert namespace_of(array) is backend.xp
    back = backend.to_numpy(array)
    assert type(back) is np.ndarray
    np.testing.assert_array_equal(back, host, strict=True)


def test_asarray_of_lists_and_numbers(backend: Backend) -> None:
    assert backend.asarray([1, 2], dtype="float32").dtype == backend.dtype(np.float32)
    assert backend.asarray(3.0, dtype=np.dtype("float64")).shape == ()


def test_read_only_and_strided_host_arrays_go_to_the_device(backend: Backend) -> None:
    host = np.arange(6.0).reshape(2, 3)[:, ::2]
    host.flags.writeable = False
    np.testing.assert_array_equal(backend.to_numpy(backend.asarray(host)), [[0.0, 2.0], [3.0, 5.0]])


@pytest.mark.changes_arrays
def test_views_where_they_are_promised(backend: Backend) -> None:
    vector = backend.asarray(np.zeros(4))
    part = backend.xp.reshape(vector[0:2], (1, 2))
    part[...] = backend.asarray([[5.0, 6.0]])
    if backend.has_views:
        assert backend.to_numpy(vector).tolist() == [5.0, 6.0, 0.0, 0.0]


def test_overrides_keep_the_signature(backend: Backend) -> None:
    for name, method in vars(type(backend)).items():
        if not name.startswith("__") and inspect.isfunction(method):
            assert str(inspect.signature(method)) == str(inspect.signature(getattr(Backend, name, method)))


def test_copied_and_pickled_it_is_the_same_backend(backend: Backend) -> None:
    for again in (copy.copy(backend), copy.deepcopy(backend), pickle.loads(pickle.dumps(backend))):
        assert again is backend


def test_a_copy_stays_on_its_device() -> None:
    pytest.importorskip("array_api_strict")
    second = get_backend("strict:device2")
    assert pickle.loads(pickle.dumps(second)) is second
    assert second is not get_backend("strict")


def test_a_backend_says_what_it_lacks() -> None:
    with pytest.raises(NotImplementedError, match="a backend sets device and xp in its constructor"):
        Backend()


def test_a_device_that_computes_wrongly_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = get_backend("cpu")
    cpu.verify()
    monkeypatch.setattr(cpu.xp, "matmul", lambda a, b: a @ b + 1.0)
    with pytest.raises(ArithmeticError, match=r"^2 \(1 \+ 4 \+ 9\) gave 29\.0 on cpu$"):
        cpu.verify()
