"""The subjects of `backprop check`: layers and losses, networks, and your own classes and functions."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .. import layers, losses
from ..datasets import load_mnist
from ..layers import Node
from ..lookup import UsageError, lookup
from ..networks.models import DeepConvNet, MultiLayerNet, SimpleConvNet, TwoLayerNet
from ..networks.network import Network

Case = tuple[Any, ...]
"""A layer, loss or network with its inputs; or a function with its gradient and arguments."""


def networks_named(name: str) -> list[Callable[[np.random.Generator], Case]]:
    return list(NETS.values()) if name == "all" else [lookup("network", name, NETS, "all or ")]


def checkable() -> dict[str, type[Node]]:
    """The layers and losses of this package that have a case, by name."""
    return {kind.__name__: kind for kind in _with_book_names().values()}


def _with_book_names() -> dict[str, type[Node]]:
    """The same, including the book's names of some classes."""
    named = [(name, getattr(module, name)) for module in (layers, losses) for name in module.__all__]
    return {name: kind for name, kind in named if _has_own_case(kind)}


def _has_own_case(kind: type[Node]) -> bool:
    case: Any = kind.case
    inherited: Any = Node.case
    return case.__func__ is not inherited.__func__


def layers_named(name: str) -> list[type[Node]]:
    if name == "all":
        return list(checkable().values())
    return [lookup("layer", name, _with_book_names(), "all or ")]


def custom_case(subject: str) -> Callable[[np.random.Generator], Any]:
    """Import `module:name`, also from the current folder; return what makes its case.

    That is the `case` of a class or a function, or a function without arguments itself.
    """
    module_name, _, name = subject.rpartition(":")
    if module_name.endswith(".py"):
        module = _import_file(Path(module_name), subject)
    elif not (module_name and name) or not all(map(str.isidentifier, module_name.split("."))):
        raise UsageError(
            f"expected MODULE:NAME or FILE:NAME, such as my_module:MyLayer or code/my_module.py:MyLayer, got "
            f"{subject!r}"
        )
    else:
        module = _import_from(Path.cwd(), module_name, subject)
    found = getattr(module, name, None)
    if not callable(found):
        raise UsageError(f"{subject}: {module_name} has no layer, loss, network or function {name!r}")
    if isinstance(found, type):
        _check_class(subject, found)
    elif not callable(getattr(found, "case", None)):
        if not _needs_arguments(found):
            return lambda rng: found()
        raise ValueError(
            f"{subject}: give its gradient and its argument: {name}.case = lambda rng: ({name}, "
            "its_gradient, rng.standard_normal(3)); or a function without arguments that returns (layer, x)"
        )
    case: Callable[[np.random.Generator], Any] = found.case
    return case


def _check_class(subject: str, kind: type) -> None:
    """Raise unless a class can be checked and has a `case`."""
    lacking = [method for method in ("forward", "backward") if not callable(getattr(kind, method, None))]
    if lacking and not hasattr(kind, "case"):
        raise ValueError(
            f"{subject}: {kind.__name__} is not a layer: it has no {' and no '.join(lacking)}; a layer has "
            "forward(self, x) and backward(self, dout). Or add a static method case(rng) that returns "
            "(f, grad, x)"
        )
    if not isinstance(inspect.getattr_static(kind, "case", None), classmethod | staticmethod):
        returned = "(network, x, t)" if issubclass(kind, Network) else "(layer, x)"
        raise ValueError(
            f"{subject}: add a classmethod case(cls, rng) that returns {returned} with small NumPy arrays"
        )


def _needs_arguments(function: Callable[..., Any]) -> bool:
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some functions written in C have no signature
        return True
    return any(p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in arguments)


def _import_from(folder: Path, name: str, subject: str) -> ModuleType:
    """Import a module, preferably from the folder."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(f"{subject}: no module {error.name!r} in this folder or environment") from None


def _import_file(file: Path, subject: str) -> ModuleType:
    """Import a file as a module that can import its neighbours, as when Python runs the file."""
    if not file.is_file():
        raise UsageError(f"{subject}: there is no file {file}")
    module = _import_from(file.resolve().parent, file.stem, subject)
    found = getattr(module, "__file__", None)
    if found is None or not file.samefile(found):
        raise UsageError(f"{subject}: Python has another module {file.stem}; rename the file")
    return module


def _two_layer(rng: np.random.Generator) -> Case:
    """The book's network on three MNIST images."""
    (x, t), _ = load_mnist()
    return TwoLayerNet(784, 50, 10, dtype="float64", rng=rng), x[:3].astype(np.float64), t[:3]


def _mlp(rng: np.random.Generator) -> Case:
    net = MultiLayerNet(12, [10, 8], 5, "tanh", "xavier", 0.1, use_batchnorm=True, dropout_ratio=0.2,
                        dtype="float64", rng=rng)  # fmt: skip
    return net, rng.standard_normal((7, 12)), rng.integers(0, 5, 7)


def _simple_conv(rng: np.random.Generator) -> Case:
    net = SimpleConvNet(
        (1, 10, 10), {"filter_num": 4, "filter_size": 3}, 8, 5, "he", dtype="float64", rng=rng
    )
    return _with_biases(net, rng), rng.standard_normal((3, 1, 10, 10)), rng.integers(0, 5, 3)


def _deep_conv(rng: np.random.Generator) -> Case:
    net = DeepConvNet(
        (1, 12, 12),
        (3, 3, 4, 4, 5, 5),
        hidden_size=6,
        output_size=5,
        dropout_ratio=0.2,
        dtype="float64",
        rng=rng,
    )
    return _with_biases(net, rng), rng.standard_normal((2, 1, 12, 12)), rng.integers(0, 5, 2)


def _with_biases(net: Network, rng: np.random.Generator) -> Network:
    """Set biases other than 0: with zero biases, zero inputs would be exactly at ReLU's kink."""
    for name, value in net.params.items():
        if name.startswith("b"):
            net.params[name] = rng.uniform(0.1, 0.5, value.shape)
    return net


NETS = {"two-layer": _two_layer, "mlp": _mlp, "simple-conv": _simple_conv, "deep-conv": _deep_conv}
