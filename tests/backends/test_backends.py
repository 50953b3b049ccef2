"""The backends themselves, and who is asked for what."""

from __future__ import annotations

import copy
import ctypes
import inspect
import os
import pickle
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends
import backprop
from backends import Backend, BackendUnavailableError, backend_of, get_backend, namespace_of
from backends.cupy.driver import cupy_packages
from backends.registry import _registry

ROOT = Path(__file__).parents[2]

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


def test_same_backend_every_time(backend: Backend) -> None:
    assert get_backend(backend.name) is backend
    assert get_backend(f"{backend.name}:{backend.device}") is backend
    assert get_backend(backend) is backend
    assert repr(backend) == f"<backend {backend.name} on {backend.device}>"
    backend.synchronize()


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


def test_cpu_is_numpy_and_auto_says_why() -> None:
    assert get_backend("cpu") is get_backend("numpy")
    automatic = get_backend("auto")
    assert automatic.name in ("numpy", "cupy")
    assert automatic.why.startswith("no GPU: " if automatic.name == "numpy" else "a GPU")


def test_unknown_device() -> None:
    with pytest.raises(ValueError, match="unknown device 'tpu': expected one of auto, cpu, gpu, numpy, cupy"):
        get_backend("tpu")


@pytest.mark.parametrize("spec", ["numpy:gpu", "strict:device9", "torch:nowhere", "torch:cuda:99"])
def test_unusable_device_names_cause_and_cure(spec: str) -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        get_backend(spec)
    assert caught.value.cause
    assert caught.value.cure
    assert "\n" not in str(caught.value)


def test_gpu_number_that_is_none() -> None:
    with pytest.raises(ValueError, match="unknown GPU 'one': expected a number"):
        get_backend("gpu:one")


class Driver:
    """A stand-in for libcuda, of a given CUDA version."""

    def __init__(self, version: int) -> None:
        self.version = version

    def cuDriverGetVersion(self, pointer: Any) -> int:  # noqa: N802 - NVIDIA's name
        pointer._obj.value = self.version
        return 0


@pytest.mark.parametrize(("version", "extra"), [(12080, "cuda12x"), (13000, "cuda13x")])
def test_missing_cupy_names_the_packages_for_the_driver(
    version: int, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver(version))
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delitem(sys.modules, "array_api_compat.cupy", raising=False)
    with pytest.raises(
        BackendUnavailableError,
        match=rf"CuPy is not installed; pip install 'cupy-{extra}\[ctk\]>=14' 'nvmath",
    ):
        _registry["cupy"].load()()


def test_hints_name_what_the_extras_bring() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for version, extra in ((12080, "cuda12x"), (13000, "cuda13x")):
        brought = project["optional-dependencies"][extra]
        assert cupy_packages(version) == " ".join(f"'{requirement}'" for requirement in brought)


def test_no_text_installs_a_stranger_s_package() -> None:
    """The package of this name in PyPI is somebody else's."""
    texts = [
        path
        for pattern in ("backprop/**/*.py", "backends/**/*.py", "examples/*.py", "benchmarks/**/*.py", "*.md",
                        "docs/*.md", "noxfile.py", "tests/**/*.py")
        for path in ROOT.glob(pattern)
    ]  # fmt: skip
    assert len(texts) > 100
    installs = re.compile(
        r"(pip3?|uv|pipx|conda|poetry|pdm)\b[^\n`&;|]*\b(install|add)\b[^\n`&;|]*['\" ]backprop\b(?!/)"
    )
    found = [
        (str(path), line)
        for path in texts
        for line in path.read_text("utf-8").splitlines()
        if installs.search(line)
    ]
    assert found == []
    assert installs.search("pip install 'back" + "prop[plots]'")


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", fail)
    with pytest.raises(
        BackendUnavailableError, match="no NVIDIA driver was found on this machine; install the driver"
    ):
        _registry["cupy"].load()()


@pytest.mark.parametrize(("name", "module"), [("torch", "torch"), ("strict", "array_api_strict")])
def test_missing_library(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BackendUnavailableError, match=r"is not installed; pip install"):
        _registry[name].load()()


def test_available_backends_lists_all() -> None:
    statuses = {status.name: status for status in backends.available_backends()}
    assert list(statuses) == backends.backend_names()
    assert statuses["numpy"].usable
    assert statuses["numpy"].version == np.__version__
    assert all(status.usable or (status.cause and status.cure) for status in statuses.values())


def test_not_an_array() -> None:
    with pytest.raises(TypeError, match="expected an array .* got list; make one with"):
        namespace_of([1.0])
    with pytest.raises(TypeError, match=r"no backend is registered for arrays of type builtins\.int"):
        backend_of(1)


def test_array_of_an_unregistered_library() -> None:
    class Foreign:
        def __array_namespace__(self) -> str:
            return "its namespace"

    assert namespace_of(Foreign()) == "its namespace"


def test_subclass_of_a_known_array(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "x", dtype="float32", shape=(2,), mode="w+")
    assert namespace_of(mapped) is get_backend("cpu").xp

    class Own(np.ndarray):
        pass

    own = np.ones(2).view(Own)
    assert backend_of(own) is get_backend("cpu")
    assert get_backend("cpu").owns(own)


def test_a_backend_from_outside() -> None:
    class Own(get_backend("cpu").__class__):  # type: ignore[misc]
        name, libraries = "own", ("own_arrays",)
        has_views = False

    class OwnArray:
        __module__ = "own_arrays"
        shape, dtype = (), "float32"

    try:
        backends.register_backend(Own)
        assert isinstance(get_backend("own"), Own)
        assert backend_of(OwnArray()) is get_backend("own")
    finally:
        del _registry["own"]


def in_python(code: str, **options: Any) -> str:
    return subprocess.check_output([sys.executable, "-c", code], text=True, **options).strip()


def test_backends_knows_no_networks_and_imports_no_library_by_itself() -> None:
    code = (
        "import sys, backends; print([name for name in sys.modules if name in ('numpy', 'torch', 'cupy')"
        " or name.startswith('backprop.') and not name.startswith(('backprop.backends', 'backprop.lazy'))])"
    )
    assert in_python(code) == "[]"


@pytest.mark.parametrize("name", ["backends.py", "backends/__init__.py"])
def test_a_module_of_ones_own_called_backends(name: str, tmp_path: Path) -> None:
    """It is not in the way of ours, and ours does not hide it."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine = 42\n")
    code = (
        "{}; print(backends.mine, backprop.backends.get_backend('cpu'), type(backprop.TwoLayerNet(2, 2, 2)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(backprop.__file__).parents[1])}
    for order in ("import backends, backprop", "import backprop, backends"):
        printed = in_python(code.format(order), cwd=tmp_path, env=environment)
        assert (
            printed
            == "42 <backend numpy on cpu> <class 'backprop.networks.models.two_layer_net.TwoLayerNet'>"
        )


def test_both_names_give_the_same_modules() -> None:
    for order in ("backends.base, backprop.backends.base", "backprop.backends.base, backends.base"):
        code = (
            f"import {order}, sys; assert backends is backprop.backends\n"
            "assert backends.base is backprop.backends.base is sys.modules['backends.base']\n"
            "import backends.numpy.backend, backprop.backends.numpy\n"
            "print(type(backends.get_backend('cpu')) is backprop.backends.numpy.backend.NumpyBackend, backends.numpy.__spec__.name)"
        )
        assert in_python(code) == "True backprop.backends.numpy"


def test_only_backends_name_array_libraries() -> None:
    root = next(iter(backprop.__path__))
    names = ("cupy", "torch", "array_api_strict", "array_api_compat")
    for path in Path(root).rglob("*.py"):
        imports = [
            line
            for line in path.read_text("utf-8").splitlines()
            if line.lstrip().startswith(("import ", "from "))
        ]
        assert not [line for line in imports if any(name in line for name in names)], path


def test_arrays_that_keep_their_place(backend: Backend) -> None:
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


MASKED = (
    "a MaskedArray is not used as an array: the numbers under its mask would count; leave those samples out"
)
MATRIX = "a matrix is not used as an array: its \\* is a product of matrices; give numpy.asarray"


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_arrays_that_compute_something_else(backend: Backend) -> None:
    for array, message in (
        (np.ma.array(np.ones((2, 3)), mask=True), MASKED),
        (np.ma.masked, MASKED),
        (np.ones((2, 3)).view(type("Own", (np.ma.MaskedArray,), {})), MASKED),
        (np.matrix(np.ones((2, 3))), MATRIX),
    ):
        for use in (namespace_of, backend_of, backends.is_registered, backend.asarray):
            for _ in range(2):  # nothing is remembered
                with pytest.raises(TypeError, match=message):
                    use(array)


def test_what_only_inherits_from_a_library_is_no_array() -> None:
    class Generator(np.random.Generator):
        pass

    class Container(np.lib.mixins.NDArrayOperatorsMixin):
        shape, dtype = (2,), np.dtype("float32")

    things = [Generator(np.random.PCG64(0)), Container(), np.dtype("float32"), np.add, np.nditer(np.ones(2))]
    if "torch" in sys.modules:
        import torch

        class Module(torch.nn.Module):
            shape, dtype, device = (2,), torch.float32, "cpu"

        things += [Module(), torch.float32, torch.Size([1]), torch.device("cpu")]
    for thing in things:
        assert not backends.is_registered(thing)
        assert not get_backend("cpu").owns(thing)
        with pytest.raises(TypeError, match="expected an array"):
            namespace_of(thing)
        with pytest.raises(TypeError, match="no backend is registered"):
            backend_of(thing)
    with pytest.raises(TypeError, match=r"expected an array \(.*\), got the class ndarray; make one"):
        namespace_of(np.ndarray)
    assert namespace_of(np.float32(1.0)) is get_backend("cpu").xp
