"""`backprop.book` as a reader of the book meets it."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import backprop.book

MODULES = (
    "deep_convnet", "functions", "gradient", "layer_naive", "layers", "mnist", "multi_layer_net",
    "multi_layer_net_extend", "optimizer", "simple_convnet", "trainer", "two_layer_net", "util",
)  # fmt: skip


def test_all_names_are_there_and_are_those_of_the_modules() -> None:
    names: dict[str, Any] = {}
    exec("from backprop.book import *", names)
    assert set(backprop.book.__all__) <= names.keys()
    for module in MODULES:
        part = importlib.import_module(f"backprop.book.{module}")
        for name in set(part.__all__) - {"np"}:
            assert names[name] is getattr(part, name), f"{module}.{name}"


@pytest.mark.parametrize("module", ["functions", "gradient", "layers", "optimizer", "trainer", "util"])
def test_star_imports_give_numpy_as_the_book_s_do(module: str) -> None:
    names: dict[str, Any] = {}
    exec(f"from backprop.book.{module} import *", names)
    assert names["np"] is np


def test_chapter_4_has_a_network_of_its_own() -> None:
    from backprop.book.ch04_two_layer_net import TwoLayerNet

    assert TwoLayerNet is not backprop.book.TwoLayerNet


def test_nothing_of_backprop_imports_it() -> None:
    code = "import backprop.training, backprop.cli, sys; sys.exit('backprop.book' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_walk_through_chapter_5() -> None:
    names: dict[str, Any] = {"np": np}
    exec("from backprop.book import *", names)
    exec(
        """
np.random.seed(0)
net = TwoLayerNet(784, 50, 10)
(x_train, t_train), (x_test, t_test) = load_mnist(one_hot_label=True)
x, t = x_train[:100], t_train[:100]
before = net.loss(x, t)
for _ in range(20):
    grads = net.gradient(x, t)
    for key in ("W1", "b1", "W2", "b2"):
        net.params[key] -= 0.5 * grads[key]
after = net.lastLayer.forward(net.predict(x), t)
""",
        names,
    )
    assert names["after"] < 0.8 * names["before"]
    read = pickle.loads(pickle.dumps(names["net"].params))
    assert list(read) == ["W1", "b1", "W2", "b2"]
