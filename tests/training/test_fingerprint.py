"""A fingerprint detects all changes outside the state, wherever the values are stored."""

from __future__ import annotations

import array
import collections
import ctypes
import enum
import functools
import itertools
import os
import queue
import random
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends import CaptureError, CaptureWarning, get_backend
from backprop import SGD, Affine, Dropout, Identity, Momentum, Network, Residual, Training
from backprop.training.fingerprint import MAX_VALUES, Fingerprinter, Stale, global_draws, untouched


class Slotted:
    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0

    def count(self) -> None:
        self.n += 1


class Private:
    __slots__ = ("__n",)

    def __init__(self) -> None:
        self.__n = 0

    def count(self) -> None:
        self.__n += 1


class Named(dict[str, int]):
    n = 0


class NamedList(list[int]):
    n = 0


class Partial(functools.partial[Any]):
    pass


class Colour(enum.Enum):
    RED = 1


def network(layer: Identity) -> Network:
    return Network([Affine(np.ones((2, 2)), np.ones(2)), layer])


def set_item(holder: Any, key: Any, value: Any) -> None:
    holder[key] = value


def ring() -> list[Any]:
    """A list that contains itself."""
    held: list[Any] = [1]
    held.append(held)
    return held


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "list": (list, lambda v: v.append(1)),
    "list in a tuple": (lambda: ([1, 2],), lambda v: set_item(v[0], 0, 3)),
    "list in itself": (ring, lambda v: set_item(v, 0, 2)),
    "dict": (lambda: {"a": 1}, lambda v: set_item(v, "a", 2)),
    "order of a dict": (lambda: {"a": 1, "b": 1}, lambda v: set_item(v, "a", v.pop("a"))),
    "set": (lambda: {1}, lambda v: v.add(2)),
    "frozenset of what changes": (lambda: frozenset([Slotted()]), lambda v: next(iter(v)).count()),
    "deque": (lambda: collections.deque([1, 2]), lambda v: v.rotate(1)),
    "attribute of a list": (lambda: NamedList([1]), lambda v: setattr(v, "n", 1)),
    "counter": (collections.Counter, lambda v: v.update("a")),
    "attribute of an attribute": (lambda: SimpleNamespace(a=SimpleNamespace(n=1)), lambda v: setattr(v.a, "n", 2)),
    "attribute in slots": (Slotted, lambda v: v.count()),
    "attribute of a dict": (Named, lambda v: setattr(v, "n", 1)),
    "array": (lambda: np.zeros(3), lambda v: set_item(v, 1, 1.0)),
    "0-d array": (lambda: np.zeros(()), lambda v: set_item(v, (), -0.0)),
    "array that is not contiguous": (lambda: np.zeros((4, 4))[::2, ::2], lambda v: set_item(v, (1, 1), 1.0)),
    "array of objects": (lambda: np.asarray([1, None], object), lambda v: set_item(v, 0, 2)),
    "array of another library": (lambda: get_backend("strict").asarray(np.zeros(2)), lambda v: set_item(v, 0, 1.0)),
    "generator": (lambda: np.random.default_rng(0), lambda v: v.random()),
    "generator that spawns": (lambda: np.random.default_rng(0), lambda v: v.spawn(1)),
    "seed sequence": (lambda: np.random.SeedSequence(1), lambda v: v.spawn(1)),
    "legacy generator": (lambda: np.random.RandomState(0), lambda v: v.rand()),
    "Python's generator": (lambda: random.Random(0), lambda v: v.random()),
    "bound method": (lambda: Slotted().count, lambda v: v()),
    "partial": (lambda: functools.partial(set_item, [1]), lambda v: v(0, 2)),
    "bytes": (lambda: bytearray(3), lambda v: set_item(v, 0, 1)),
    "array.array": (lambda: array.array("i", [1]), lambda v: set_item(v, 0, 2)),
    "cached function": (lambda: functools.lru_cache(abs), lambda v: v(3)),
    "private slots": (Private, lambda v: v.count()),
    "two partials": (lambda: [functools.partial(set_item, [i]) for i in range(2)], lambda v: v[1](0, 2)),
    "ctypes": (lambda: ctypes.c_int(1), lambda v: setattr(v, "value", 2)),
    "layer": (lambda: Dropout(0.5, seed=1), lambda v: setattr(v, "ratio", 0.1)),
    "state of a layer inside": (lambda: Dropout(0.5, seed=1), lambda v: v.forward(np.ones(3), training=True)),
    "parameter of a layer inside": (lambda: Affine(np.ones((1, 1)), np.ones(1)), lambda v: set_item(v.W, 0, 2.0)),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
def test_changes_in_place_are_detected(kind: str) -> None:
    make, change = CHANGES[kind]
    layer: Any = Identity()
    layer.held = make()
    watch = Fingerprinter(network(layer), SGD())
    before = watch.take()
    assert not before.changed(watch.take())
    change(layer.held)
    changed = before.changed(watch.take())
    assert changed
    assert all(path.startswith("Identity1.held") for path in changed)
    assert all(place and place.path.startswith("Identity1.held") for place in changed.values())
    assert not before.changed(watch.take(), frozenset(place.path for place in changed.values() if place))
    assert changed == before.changed(watch.take(), frozenset({"Identity1.other"}))


shared = Slotted()

REPLACED: dict[str, tuple[Any, Any]] = {
    "number": (1, 2),
    "number of another type": (1, 1.0),
    "number of NumPy's": (np.float32(1.0), np.float64(1.0)),
    "sign of zero": (0.0, -0.0),
    "truth": (True, False),
    "text": ("mean", "sum"),
    "list": ([1], (1,)),
    "mapping": ({"a": 1}, collections.OrderedDict(a=1)),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "dtype": (np.zeros(2, np.int32), np.zeros(2, np.float32)),
    "values": (np.zeros(2), np.asarray([0.0, -0.0])),
    "function": (abs, len),
    "class": (Slotted, Private),
    "cached function": (functools.lru_cache(abs), functools.lru_cache(len)),
    "bound method": (shared.count, shared.__init__),
    "object of a bound method": (Slotted().count, Slotted().count),
    "argument of a partial": (functools.partial(set_item, key=1), functools.partial(set_item, key=2)),
    "class of a partial": (functools.partial(abs, 1), Partial(abs, 1)),
    "object": (SimpleNamespace(n=1), SimpleNamespace(n=1)),
    "generator": (np.random.default_rng(0), np.random.default_rng(1)),
    "kind of buffer": (bytearray(b"\0\0\0\0"), array.array("i", [0])),
    "array of another library": (get_backend("strict").asarray([1.0]), get_backend("strict").asarray([2.0])),
}  # fmt: skip


@pytest.mark.parametrize("kind", REPLACED)
def test_a_replaced_attribute_is_detected(kind: str) -> None:
    layer: Any = Identity()
    layer.held, other = REPLACED[kind]
    watch = Fingerprinter(network(layer), SGD())
    before = watch.take()
    layer.held = other
    changed = before.changed(watch.take())
    assert all(place is None or place.path == "Identity1.held" for place in changed.values())
    assert any(changed.values())


def test_a_name_bound_to_another_object_is_detected() -> None:
    layer: Any = Identity()
    layer.one, layer.two = [1], [1]
    layer.name_of_one = layer.one
    watch = Fingerprinter(network(layer), SGD())
    before = watch.take()
    layer.name_of_one = layer.two
    ((path, place),) = before.changed(watch.take()).items()
    assert place
    assert path == place.path == "Identity1.name_of_one"


def test_changes_in_slots_of_a_layer_are_detected() -> None:
    class OwnSlots(Identity):
        __slots__ = ("note",)

    layer: Any = OwnSlots()
    layer.note = [1]
    watch = Fingerprinter(network(layer), SGD())
    before = watch.take()
    layer.note[0] = 2
    assert before.changed(watch.take()) == {"OwnSlots1.note[0]": None}


def test_a_replaced_method_of_a_class_with_an_array_is_detected() -> None:
    class Own(Identity):
        table = np.ones(2)

    watch = Fingerprinter(network(Own()), SGD())
    before = watch.take()
    Own.table, Own.backward = np.ones(2), lambda self, dout: dout  # type: ignore[method-assign]
    assert f"class {__name__}.{Own.__qualname__}" in before.changed(watch.take())


def test_a_change_of_a_class_has_no_place() -> None:
    class Own(Identity):
        factor, log = 1.0, [1]

    watch = Fingerprinter(network(Own()), SGD())
    before = watch.take()
    Own.log[0] = 2
    assert before.changed(watch.take()) == {"class Own: log[0]": None}
    Own.log = list(range(MAX_VALUES + 1))
    with pytest.raises(CaptureError, match=r"^class Own: log\[\d+\] holds too many values to check"):
        watch.take()


def test_attributes_of_classes_methods_and_the_network_are_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Identity):
        factor, log = 1.0, [1]

    net, optimizer = network(Own()), SGD(0.1)
    watch = Fingerprinter(net, optimizer)
    changes: list[tuple[str, Callable[[], Any]]] = [
        ("class Own: factor", lambda: setattr(Own, "factor", 2.0)),
        ("class Own: log[1]", lambda: Own.log.append(2)),
        (f"class {__name__}.{Own.__qualname__}", lambda: setattr(Own, "backward", lambda self, dout: dout)),
        ("class backprop.layers.activations.Identity", lambda: monkeypatch.setattr(Identity, "forward", id)),
        ("Network.weight_decay", lambda: setattr(net, "weight_decay", 0.5)),
        ("Network.note", lambda: setattr(net, "note", 1)),
        ("SGD.max_norm", lambda: setattr(optimizer, "max_norm", 0.2)),
        ("SoftmaxWithLoss.note", lambda: setattr(net.last_layer, "note", Colour.RED)),
        ("Own1", lambda: set_item(net.layers, "Own1", Identity())),
    ]
    for path, change in changes:
        before = watch.take()
        assert not before.changed(watch.take())
        change()
        assert path in before.changed(watch.take())


def test_a_setting_that_is_among_the_scalars_changes_no_recording() -> None:
    optimizer = Momentum(0.1)
    watch = Fingerprinter(network(Identity()), optimizer)
    before = watch.take()
    optimizer.lr, optimizer.momentum = 0.2, 0.5
    assert not before.changed(watch.take())


class OwnRule(SGD):
    def rule(self, p: Any, g: Any, lr: Any) -> Any:  # type: ignore[override]
        return (p - self.lr * g,)


class OwnApply(SGD):
    def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
        params["flat"] -= self.lr * grads["flat"]


class OwnScale(SGD):
    def loss_scale(self, scalars: Any) -> Any:
        return self.lr


def set_rule(optimizer: Any) -> Any:
    optimizer.rule = lambda p, g, lr: (p - optimizer.lr * g,)
    return optimizer


@pytest.mark.parametrize("optimizer", [OwnRule(0.1), OwnApply(0.1), OwnScale(0.1), set_rule(SGD(0.1))])
def test_a_setting_that_a_step_may_read_is_detected(optimizer: SGD) -> None:
    watch = Fingerprinter(network(Identity()), optimizer)
    before = watch.take()
    optimizer.lr = 0.2
    assert f"{type(optimizer).__name__}.lr" in before.changed(watch.take())


def test_attributes_of_an_attribute_s_class_are_detected() -> None:
    class Rated:
        rate = 1.0

    layer: Any = Identity()
    layer.held = Rated()
    watch = Fingerprinter(network(layer), SGD())
    before = watch.take()
    Rated.rate = 2.0
    assert "class Rated: rate" in before.changed(watch.take())


def test_arguments_of_a_step_are_ignored() -> None:
    net = Network([Affine(np.ones((2, 2)), np.ones(2)), Residual([Dropout(0.5, seed=1), Identity()])])
    watch, optimizer = Fingerprinter(net, SGD()), SGD()
    x, t = np.ones((3, 2)), np.asarray([0, 1, 1])
    net.gradient(x, t)
    before = watch.take()
    optimizer.update(net.params, net.gradient(x, t))
    assert not {path for path, place in before.changed(watch.take()).items() if place is None}
    assert all("_state" in path or "_gradient_states" in path for path in before.changed(watch.take()))


def test_copies_preserve_sharing_and_keep_the_layers() -> None:
    layer: Any = Identity()
    net = network(layer)
    layer.one = layer.two = [net.layers["Affine1"], np.zeros(2)]
    kept = layer.one
    with untouched(Fingerprinter(net, SGD()).take(), {}):
        assert layer.one is layer.two
        assert layer.one is not kept
        assert layer.one[0] is net.layers["Affine1"]
        layer.one[1] += 1.0
    assert layer.one is layer.two is kept
    np.testing.assert_array_equal(kept[1], 0.0)


def test_an_object_that_cannot_be_copied_is_named() -> None:
    class Single:
        def __deepcopy__(self, memo: Any) -> Any:
            raise ValueError("there is one")

    layer: Any = Identity()
    layer.held = Single()
    look = Fingerprinter(network(layer), SGD()).take()
    with (
        pytest.raises(CaptureError, match=r"^Identity\.held cannot be copied: there is one$"),
        untouched(look, {}),
    ):
        pass
    assert isinstance(layer.held, Single)


def test_iterators_and_too_many_values_are_refused() -> None:
    for value, why in (
        (itertools.count(), "is an iterator"),
        (list(range(MAX_VALUES + 1)), "holds too many values"),
    ):
        layer: Any = Identity()
        layer.held = value
        with pytest.raises(CaptureError, match=f"Identity1.held.* {why}"):
            Fingerprinter(network(layer), SGD()).take()
    layer = Identity()
    with open(os.devnull, encoding="utf-8") as layer.held:  # a file is let be
        watch = Fingerprinter(network(layer), SGD())
        watch.take()
    for value in (queue.SimpleQueue(), weakref.ref(layer)):
        layer.held = value
        with pytest.raises(CaptureError, match=r"Identity1\.held is an? "):
            watch.take()
    layer.held = type("Config", (), {"top": 1.0})  # a class that holds settings
    before = watch.take()
    layer.held.top = 2.0
    assert "class Config: top" in before.changed(watch.take())


def test_attributes_that_raise_end_the_recording() -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise KeyError(name)

    layer: Any = Identity()
    layer.odd = Odd()
    x, t = np.random.default_rng(0).random((40, 2)), np.arange(40) % 2
    with pytest.warns(CaptureWarning, match="the attributes cannot be inspected: KeyError: "):
        list(Training(network(layer), x, t, epochs=2, batch_size=4, rng=0))


def test_global_draws() -> None:
    before = global_draws()
    assert global_draws() == before
    random.random()
    after = global_draws()
    assert after != before
    np.random.rand()
    assert global_draws() != after


def test_a_deleted_attribute_is_a_change() -> None:
    layer: Any = Identity()
    layer.held = 1
    watch = Fingerprinter(network(layer), SGD())
    before = watch.take()
    del layer.held
    assert set(before.changed(watch.take())) == {"Identity1.held"}


def test_changed_attributes_must_be_set() -> None:
    layer: Any = Identity()
    layer.n = 0
    watch = Fingerprinter(network(layer), SGD())
    before = watch.take()
    layer.n = 1
    look = watch.take()
    with pytest.raises(CaptureError, match=r"Identity1\.n changes"), untouched(look, before.changed(look)):
        pass
    assert layer.n == 1


def test_changed_attributes_cannot_be_read_before_they_are_set() -> None:
    layer: Any = Identity()
    layer.n, layer.kept, layer.grads["W"] = 0, [1], np.ones(2)
    watch = Fingerprinter(network(layer), SGD())
    before = watch.take()
    layer.n += 1
    look = watch.take()
    with untouched(look, before.changed(look)):
        layer.n = 1
        layer.other = 8
        layer.constants["made"] = 1
        assert layer.grads == {}
    assert (layer.n, layer.kept, layer.constants, list(layer.grads)) == (1, [1], {}, ["W"])
    assert not hasattr(layer, "other")
    reads: list[Callable[[Any], Any]] = [
        lambda n: n + 1, lambda n: 1.0 * n, float, bool, len, iter, str, lambda n: n.x, lambda n: n[0],
        lambda n: n == 1, lambda n: n < 1, np.asarray, lambda n: np.ones(2) * n, lambda n: n(), lambda n: -n, next,
    ]  # fmt: skip

    def in_a_step(read: Callable[[Any], Any]) -> None:
        with untouched(look, before.changed(look)):
            with suppress(CaptureError):  # which a layer may catch
                read(layer.n)
            layer.n = 2

    for read in reads:
        with pytest.raises(
            CaptureError, match=r"Identity1\.n changes from step to step and is not in the state"
        ):
            in_a_step(read)
        assert layer.n == 1
    with pytest.raises(CaptureError, match=r"Identity1\.n changes"), untouched(look, before.changed(look)):  # noqa: PT012
        with suppress(CaptureError):
            layer.n + 1
        layer.n = 1
    with pytest.raises(CaptureError, match=r"Identity1\.n changes"):
        Stale("Identity1.n").anything = 1
