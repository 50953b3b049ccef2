"""Layers as users write them. Each is one habit, the shortest layer that has it.

Inputs are (N, width), N from 1. Most have a gradient that is not right: what matters is whether the recorded
step is the called one.
"""

from __future__ import annotations

import array
import collections
import contextlib
import copy
import ctypes
import dataclasses
import enum
import fractions
import functools
import itertools
import math
import operator
import pickle
import random
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from numbers import Number, Real
from types import SimpleNamespace

import numpy as np

from backends import namespace_of
from backprop import Affine, BatchNormalization, Dropout, Layer, LayerNormalization, LeakyReLU, ReLU
from backprop.layers.checks import check_dout, check_float

from .habits import User, layer

# Rules kept: these have to be recorded.


@layer(plain=True)
class square(User):
    """The README's layer."""

    def train(self, x):
        self.saved = x
        return 0.5 * x * x

    def backward(self, dout):
        return self.saved * dout


@layer(plain=True)
class softplus(User):
    """The layer of CONTRIBUTING."""

    def train(self, x):
        xp = check_float(self.name, x)
        self.saved = x
        return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))

    def backward(self, dout):
        check_dout(self.name, dout, self.saved)
        xp = namespace_of(dout)
        return dout / (1.0 + xp.exp(-self.saved))


@layer(plain=True)
class gain_and_shift(Layer):
    """Parameters of its own, with gradients by `set_grad`."""

    def __init__(self, m):
        super().__init__(gain=m.ones(m.width), shift=m.normal(m.width))

    def forward(self, x, *, training=False):
        self.saved = x if training else None
        return x * self.params["gain"] + self.params["shift"]

    def backward(self, dout):
        xp = namespace_of(dout)
        self.set_grad("gain", xp.sum, dout * self.saved, axis=0)
        self.set_grad("shift", xp.sum, dout, axis=0)
        return dout * self.params["gain"]


@layer(plain=True)
class centred_by_a_running_mean(Layer):
    """Running statistics in `state`, changed in place as the README says."""

    def __init__(self, m):
        super().__init__()
        self.state["mean"] = np.zeros(m.width, m.dtype)

    def forward(self, x, *, training=False):
        if training:
            self.state["mean"] *= 0.9
            self.state["mean"] += 0.1 * namespace_of(x).mean(x, axis=0)
        return x - self.state["mean"]

    def backward(self, dout):
        return dout


@layer(plain=True)
class switch_by_a_count_in_the_state(Layer):
    """Counts in `state` and chooses by `where`."""

    def __init__(self, m):
        super().__init__()
        self.k = m.k
        self.state["calls"] = np.zeros((), np.int64)

    def forward(self, x, *, training=False):
        if not training:
            return x
        self.state["calls"] += 1
        return namespace_of(x).where(self.state["calls"] > self.k, x * 0.5, x)

    def backward(self, dout):
        return dout


# Counters in Python.


@layer(calls=0)
def counter_in_an_attribute(self, x):
    """Counts its calls and switches at one of them."""
    self.calls += 1
    return x * 0.5 if self.calls > self.k else x


@layer(calls=0)
def counter_that_shows_every_time(self, x):
    """A factor that is another in every step."""
    self.calls += 1
    return x * (1.0 / (1.0 + 0.01 * self.calls))


@layer(calls=0)
def every_kth_call(self, x):
    """Does something else in every k-th call."""
    self.calls += 1
    return x if self.calls % self.k else x * 0.25


@layer(left=lambda m: m.k)
def countdown(self, x):
    """Counts down to zero and stays there."""
    self.left = max(self.left - 1, 0)
    return x * 0.5 if self.left else x


@layer(temperature=1.0)
def annealed_number(self, x):
    """A Python number that decays, as a temperature."""
    self.temperature *= 0.97
    return x * (0.5 + self.temperature)


@layer(temperature=1.0)
def annealed_number_with_a_floor(self, x):
    """A Python number that begins to change at a step."""
    if self.temperature < 1.0 or self.k <= 0:
        self.temperature = max(0.3, self.temperature * 0.9)
    self.k -= 1
    if self.k == 0:
        self.temperature = 0.9
    return x * self.temperature


@layer(cfg=lambda m: SimpleNamespace(calls=0))
def counter_in_an_object(self, x):
    """Counts in a nested object."""
    self.cfg.calls += 1
    return x * 0.5 if self.cfg.calls > self.k else x


@layer(cfg=lambda m: SimpleNamespace(inner=SimpleNamespace(deep=[{"calls": 0}])))
def counter_deep_in_objects(self, x):
    """Counts four containers down."""
    self.cfg.inner.deep[0]["calls"] += 1
    return x * 0.5 if self.cfg.inner.deep[0]["calls"] > self.k else x


@layer(cfg=lambda m: SimpleNamespace(calls=0))
def counter_in_objects_that_are_replaced(self, x):
    """A new object with the next count every time."""
    self.cfg = SimpleNamespace(calls=self.cfg.calls + 1)
    return x * 0.5 if self.cfg.calls > self.k else x


@layer(calls=lambda m: [0])
def counter_in_a_list(self, x):
    """Counts in a list of one."""
    self.calls[0] += 1
    return x * 0.5 if self.calls[0] > self.k else x


@layer(info=lambda m: {"calls": 0})
def counter_in_a_dict(self, x):
    """Counts in a dict."""
    self.info["calls"] += 1
    return x * 0.5 if self.info["calls"] > self.k else x


@layer(count=lambda m: np.zeros(1, np.int64))
def counter_in_an_array(self, x):
    """Counts in an array of its own and reads it."""
    self.count += 1
    return x * 0.5 if self.count[0] > self.k else x


@layer(count=lambda m: np.zeros((), np.int64))
def counter_in_an_array_unread(self, x):
    """Counts in an array of its own and computes with it."""
    self.count += 1
    return x * (1.0 / (1.0 + 0.1 * self.count)).astype(x.dtype)


@layer(count=lambda m: bytearray(1))
def counter_in_a_bytearray(self, x):
    """Counts in a bytearray."""
    self.count[0] = min(self.count[0] + 1, 255)
    return x * 0.5 if self.count[0] > self.k else x


@layer(count=lambda m: array.array("l", [0]))
def counter_in_an_array_array(self, x):
    """Counts in an array of the standard library."""
    self.count[0] += 1
    return x * 0.5 if self.count[0] > self.k else x


@layer(count=lambda m: ctypes.c_long(0))
def counter_in_ctypes(self, x):
    """Counts in a number of C."""
    self.count.value += 1
    return x * 0.5 if self.count.value > self.k else x


@layer(count=lambda m: fractions.Fraction(1, 2))
def counter_in_a_fraction(self, x):
    """A fraction that grows."""
    self.count += fractions.Fraction(1, self.k)
    return x * 0.5 if self.count > 1 else x


@layer(seen=lambda m: collections.Counter())
def counter_of_collections(self, x):
    """Counts shapes in a Counter."""
    self.seen[tuple(x.shape)] += 1
    return x * 0.5 if max(self.seen.values()) > self.k else x


class Phase(enum.Enum):
    """What a layer is doing."""

    WARM = 1
    RUN = 2


@layer(calls=0, phase=Phase.WARM)
def phases_of_an_enum(self, x):
    """Goes from one phase to the next."""
    self.calls += 1
    if self.calls > self.k:
        self.phase = Phase.RUN
    return x if self.phase is Phase.WARM else x * 0.5


class Meter:
    """An object without a `__dict__`."""

    __slots__ = ("calls",)

    def __init__(self):
        self.calls = 0

    def tick(self):
        self.calls += 1
        return self.calls


@layer(meter=lambda m: Meter())
def counter_in_slots(self, x):
    """Counts in an object with `__slots__`."""
    return x * 0.5 if self.meter.tick() > self.k else x


@dataclasses.dataclass(frozen=True)
class Settings:
    """A frozen dataclass."""

    calls: int = 0
    factor: float = 1.0


@layer(settings=lambda m: Settings())
def settings_replaced(self, x):
    """A frozen dataclass that is replaced by the next."""
    calls = self.settings.calls + 1
    self.settings = dataclasses.replace(self.settings, calls=calls, factor=0.5 if calls > self.k else 1.0)
    return x * self.settings.factor


@layer(history=())
def tuple_that_grows(self, x):
    """A tuple that is put together anew."""
    self.history = (*self.history, x.shape[0])
    return x * 0.5 if len(self.history) > self.k else x


@layer(log=lambda m: [])
def list_that_grows(self, x):
    """A list that grows."""
    self.log.append(1)
    return x * 0.5 if len(self.log) > self.k else x


@layer(log=lambda m: [])
def list_of_what_it_saw(self, x):
    """Keeps every batch and uses the one before."""
    self.log.append(x)
    return x if len(self.log) < 2 or self.log[-2].shape != x.shape else 0.5 * (x + self.log[-2])


@layer(log=lambda m: collections.deque(maxlen=3))
def deque_of_means(self, x):
    """A short memory of means."""
    self.log.append(namespace_of(x).mean(x, axis=0))
    return x - 0.1 * self.log[0]


@layer(waiting=lambda m: [1.0] * m.k + [0.5])
def list_that_is_emptied(self, x):
    """Factors that are taken from a list as long as there are any."""
    factor = self.waiting.pop(0) if len(self.waiting) > 1 else self.waiting[0]
    return x * factor


@layer(seen=lambda m: set())
def set_that_grows(self, x):
    """A set of the numbers of its calls."""
    self.seen.add(len(self.seen))
    return x * 0.5 if len(self.seen) > self.k else x


@layer()
def attributes_that_grow(self, x):
    """A new attribute in every call."""
    setattr(self, f"seen_{len(vars(self))}", 1.0)
    return x * 0.5 if len(vars(self)) > self.k + 12 else x


@layer(static={"calls": 0}, shared=True)
def counter_of_the_class(self, x):
    """Counts in its class."""
    type(self).calls += 1
    return x * 0.5 if self.calls > self.k else x


@layer(static={"log": lambda m: []}, shared=True)
def list_of_the_class(self, x):
    """A list that all layers of the class share."""
    self.log.append(1)
    return x * 0.5 if len(self.log) > self.k else x


@layer()
def counter_in_the_cache(self, x):
    """Counts in `self.constants`, which is for arrays."""
    self.constants["calls"] = self.constants.get("calls", 0) + 1
    return x * 0.5 if self.constants["calls"] > self.k else x


@layer()
class counter_of_backwards(User):
    """Counts in `backward`."""

    _attributes = {"calls": 0}

    def train(self, x):
        return x

    def backward(self, dout):
        self.calls += 1
        return dout * 0.5 if self.calls > self.k else dout


@layer()
class counter_of_a_property(User):
    """A property that counts how often it is read."""

    _attributes = {"calls": 0}

    @property
    def factor(self):
        self.calls += 1
        return 0.5 if self.calls > self.k else 1.0

    def train(self, x):
        return x * self.factor


@layer()
class counter_by_setattr(User):
    """Keeps its attributes elsewhere, by `__setattr__` and `__getattr__`."""

    def __init__(self, m):
        object.__setattr__(self, "elsewhere", {"calls": 0})
        super().__init__(m)

    def __setattr__(self, name, value):
        if name == "calls":
            self.elsewhere["calls"] = value
        else:
            object.__setattr__(self, name, value)

    def __getattr__(self, name):
        if name == "calls":
            return object.__getattribute__(self, "elsewhere")["calls"]
        raise AttributeError(name)

    def train(self, x):
        self.calls += 1
        return x * 0.5 if self.calls > self.k else x


@layer(ticks=lambda m: itertools.count())
def itertools_count(self, x):
    """Takes the next of a count."""
    return x * 0.5 if next(self.ticks) > self.k else x


@layer(factors=lambda m: itertools.cycle([1.0] * m.k + [0.5]))
def itertools_cycle(self, x):
    """Takes the next of a cycle."""
    return x * next(self.factors)


@layer(factors=lambda m: iter([1.0] * m.k + [0.5] * 2000))
def iterator_of_a_list(self, x):
    """Takes the next of a list's iterator."""
    return x * next(self.factors)


@layer(factors=lambda m: iter([1.0, 0.5] * m.k))
def iterator_that_ends(self, x):
    """Takes the next of an iterator that ends; then it is done."""
    return x * next(self.factors, 0.25)


def _factors(k):
    for _ in range(k):
        yield 1.0
    while True:
        yield 0.5


@layer(factors=lambda m: _factors(m.k))
def generator_function(self, x):
    """Takes the next of a generator, which cannot be copied."""
    return x * next(self.factors)


@layer(bound=lambda m: functools.partial(Meter.tick, Meter()))
def counter_in_a_partial(self, x):
    """Counts in what a partial holds."""
    return x * 0.5 if self.bound() > self.k else x


@layer(tick=lambda m: Meter().tick)
def counter_in_a_bound_method(self, x):
    """Counts in the object of a bound method."""
    return x * 0.5 if self.tick() > self.k else x


@layer(local=lambda m: threading.local())
def counter_of_a_thread(self, x):
    """Counts in a `threading.local`."""
    self.local.calls = getattr(self.local, "calls", 0) + 1
    return x * 0.5 if self.local.calls > self.k else x


@layer(last=None)
def switch_after_a_change_of_shape(self, x):
    """Notices when the batch has another size than the last."""
    changed, self.last = self.last not in (None, x.shape[0]), x.shape[0]
    return x * 0.5 if changed else x


@layer(batches=lambda m: {})
def statistics_by_batch_size(self, x):
    """A running number for every size of the batch."""
    self.batches[len(x)] = 0.9 * self.batches.get(len(x), 1.0) + 0.01
    return x * self.batches[len(x)]


# Counters where nobody can look.


def _closure():
    count = [0]

    def tick():
        count[0] += 1
        return count[0]

    return tick


@layer(tick=lambda m: _closure(), hidden=True)
def counter_in_a_closure(self, x):
    """Counts in a closure; every step shows it."""
    return x * (1.0 / (1.0 + 0.01 * self.tick()))


_CALLS = {"n": 0}


@layer(reset=lambda m: _CALLS.update(n=0), hidden=True, shared=True)
def counter_in_a_global(self, x):
    """Counts in a global variable; every step shows it."""
    _CALLS["n"] += 1
    return x * (1.0 / (1.0 + 0.01 * _CALLS["n"]))


def _train(self, x, count=[0]):
    count[0] += 1
    return x * (1.0 / (1.0 + 0.01 * count[0]))


@layer(reset=lambda m: _train.__defaults__[0].__setitem__(0, 0), hidden=True, shared=True)
class counter_in_a_default(User):
    """Counts in a default argument; every step shows it."""

    train = _train


@layer(reset=lambda m: setattr(_closure, "calls", 0), hidden=True, shared=True)
def counter_in_a_function(self, x):
    """Counts in an attribute of a function; every step shows it."""
    _closure.calls += 1
    return x * (1.0 / (1.0 + 0.01 * _closure.calls))


@layer(hidden=True, unsteady=True)
def clock(self, x):
    """Computes with the time."""
    return x * (1.0 + time.perf_counter() % 1.0)


@layer(hidden=True, unsteady=True)
def entropy(self, x):
    """Draws from a generator that the system seeds."""
    return x * float(np.random.default_rng().uniform(0.5, 1.0))


# Draws.


@layer(rng=lambda m: np.random.default_rng(m.k))
def draws_for_every_entry(self, x):
    """Noise from a generator of its own."""
    return x * self.rng.uniform(0.5, 1.5, x.shape).astype(x.dtype)


@layer(rng=lambda m: np.random.default_rng(m.k))
def draws_a_number(self, x):
    """One number from a generator of its own."""
    return x * float(self.rng.uniform(0.5, 1.0))


@layer(rng=lambda m: np.random.default_rng(m.k))
def draws_rarely(self, x):
    """Stochastic depth: the layer is left out now and then."""
    return x if self.rng.random() < 0.93 else x * 0.0


@layer(rng=lambda m: np.random.default_rng(m.k))
def draws_two_values(self, x):
    """A sign by chance."""
    return x * (1.0 - 2.0 * int(self.rng.integers(0, 2)))


@layer(rng=lambda m: np.random.default_rng(m.k))
def draws_and_does_not_use_it(self, x):
    """Draws in every call, and uses it rarely."""
    drawn = self.rng.random(x.shape).astype(x.dtype)
    return x + drawn if drawn[0, 0] < 0.05 else x


@layer(rng=lambda m: np.random.RandomState(m.k))
def draws_from_a_random_state(self, x):
    """NumPy's old generator, rarely."""
    return x * 0.5 if self.rng.rand() < 0.1 else x


@layer(rng=lambda m: random.Random(m.k))
def draws_from_a_python_generator(self, x):
    """Python's generator, an object of its own, rarely."""
    return x * 0.5 if self.rng.random() < 0.1 else x


@layer(rngs=lambda m: {"noise": [np.random.default_rng(m.k)]})
def draws_from_a_nested_generator(self, x):
    """A generator in a list in a dict, rarely."""
    return x * 0.5 if self.rngs["noise"][0].random() < 0.1 else x


@layer(seeds=lambda m: np.random.SeedSequence(m.k))
def spawns_generators(self, x):
    """A child of a seed sequence in every call."""
    rng = np.random.default_rng(self.seeds.spawn(1)[0])
    return x * 0.5 if rng.random() < 0.1 else x


@layer(shared=True)
def draws_from_numpy(self, x):
    """Noise from `np.random`."""
    return x * np.random.rand(*x.shape).astype(x.dtype)


@layer(shared=True)
def draws_rarely_from_numpy(self, x):
    """A rare draw from `np.random`."""
    return x * 0.5 if np.random.rand() < 0.08 else x


@layer(shared=True)
def draws_from_python(self, x):
    """A number from `random`."""
    return x * random.random()


@layer(shared=True)
def draws_rarely_from_python(self, x):
    """A rare draw from `random`."""
    return x * random.choices((1.0, 0.5), (12, 1))[0]


@layer(shared=True)
def permutes_columns(self, x):
    """The columns in a random order."""
    return x[:, np.random.permutation(x.shape[1])]


@layer(order=lambda m: np.arange(m.width), shared=True)
def shuffles_its_own_order(self, x):
    """An order that `np.random.shuffle` changes in place."""
    if np.random.rand() < 0.1:
        np.random.shuffle(self.order)
    return x[:, self.order]


@layer(calls=0)
def seeds_by_the_count(self, x):
    """A new generator in every call, seeded by a count."""
    self.calls += 1
    return x if np.random.default_rng(self.calls).random() > 0.1 else x * 0.5


@layer()
class noise_in_backward(User):
    """Noise on the gradient."""

    _attributes = {"rng": lambda m: np.random.default_rng(m.k)}

    def train(self, x):
        return x

    def backward(self, dout):
        return dout + (0.01 * self.rng.standard_normal(dout.shape)).astype(dout.dtype)


@layer()
class rare_noise_in_backward(User):
    """A gradient that is rarely dropped."""

    _attributes = {"rng": lambda m: np.random.default_rng(m.k)}

    def train(self, x):
        return x

    def backward(self, dout):
        return dout * 0.0 if self.rng.random() < 0.07 else dout


@layer()
class own_dropout(User):
    """Dropout as the book writes it, on a generator of its own."""

    _attributes = {"rng": lambda m: np.random.default_rng(m.k)}

    def train(self, x):
        self.mask = self.rng.random(x.shape) > 0.3
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


@layer(shared=True)
class book_dropout(User):
    """The book's dropout: `np.random.rand(*x.shape) > ratio`."""

    def train(self, x):
        self.mask = np.random.rand(*x.shape) > 0.3
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


# What is kept for the next step outside `state`.


@layer(mean=lambda m: np.zeros(m.width, m.dtype))
def running_mean_in_an_attribute(self, x):
    """Running statistics in an attribute that is replaced."""
    self.mean = 0.9 * self.mean + 0.1 * namespace_of(x).mean(x, axis=0)
    return x - self.mean


@layer(mean=lambda m: np.zeros(m.width, m.dtype))
def running_mean_in_place(self, x):
    """Running statistics in an attribute, changed in place."""
    self.mean *= 0.9
    self.mean += 0.1 * x.mean(axis=0)
    return x - self.mean


@layer(mean=None)
def running_mean_begun_late(self, x):
    """Running statistics that begin with the first batch."""
    mean = namespace_of(x).mean(x, axis=0)
    self.mean = mean if self.mean is None else 0.9 * self.mean + 0.1 * mean
    return x - self.mean


@layer(stats=lambda m: {"mean": np.zeros(m.width, m.dtype)})
def running_mean_in_a_dict(self, x):
    """Running statistics in a dict of its own."""
    self.stats["mean"] = 0.9 * self.stats["mean"] + 0.1 * namespace_of(x).mean(x, axis=0)
    return x - self.stats["mean"]


@layer(previous=None)
def previous_batch(self, x):
    """Mixes in the batch before."""
    before, self.previous = self.previous, x
    return x if before is None or before.shape != x.shape else 0.9 * x + 0.1 * before


@layer(previous=0.0)
def previous_mean(self, x):
    """Subtracts the mean of the batch before."""
    before, self.previous = self.previous, namespace_of(x).mean(x)
    return x - 0.1 * before


@layer(previous=lambda m: np.zeros(m.width, m.dtype))
def previous_mean_by_copyto(self, x):
    """Subtracts the mean of the batch before, which `np.copyto` keeps."""
    y = x - self.previous
    np.copyto(self.previous, x.mean(axis=0))
    return y


@layer(ring=lambda m: np.zeros((4, m.width), m.dtype), place=0)
def ring_of_means(self, x):
    """A ring of means, written at a place that goes around."""
    self.ring[self.place % 4] = x.mean(axis=0)
    self.place += 1
    return x - 0.1 * self.ring.mean(axis=0)


@layer(mask=lambda m: m.ones(m.width), calls=0)
def prunes_as_it_goes(self, x):
    """A mask with one more zero after every k calls."""
    self.calls += 1
    if self.calls % self.k == 0:
        self.mask[self.calls % len(self.mask)] = 0.0
    return x * self.mask


@layer(scale=lambda m: m.ones(m.width))
def constant_that_decays_in_place(self, x):
    """An array of its own that decays in place."""
    self.scale *= 0.99
    return x * self.scale


@layer(scale=lambda m: m.ones(m.width))
def constant_that_decays(self, x):
    """An array of its own that is replaced by a smaller one."""
    self.scale = self.scale * 0.99
    return x * self.scale


@layer(weights=lambda m: m.rng.uniform(0.5, 1.0, 7).astype(m.dtype))
def constant_that_rolls(self, x):
    """An array of its own that is rolled."""
    self.weights = np.roll(self.weights, 1)
    return x * float(self.weights[0])


@layer()
class previous_gradient(User):
    """The gradient of the step before is used in the next forward."""

    _attributes = {"last": None}

    def train(self, x):
        return x if self.last is None or self.last.shape != x.shape else x - 0.1 * self.last

    def backward(self, dout):
        self.last = dout
        return dout


class _Stateful(Layer):
    """Layers that have one array in their state."""

    def __init__(self, m):
        super().__init__()
        self.k = m.k
        self.state["mean"] = np.zeros(m.width, m.dtype)
        self.state["calls"] = np.zeros((), np.int64)

    def forward(self, x, *, training=False):
        return self.train(x) if training else x

    def backward(self, dout):
        return dout


@layer()
class state_replaced(_Stateful):
    """`state[key] = value`, not in place."""

    def train(self, x):
        self.state["mean"] = 0.9 * self.state["mean"] + 0.1 * namespace_of(x).mean(x, axis=0)
        return x - self.state["mean"]


@layer()
class state_replaced_by_numpy(_Stateful):
    """`state[key] = np.…(…)`."""

    def train(self, x):
        self.state["mean"] = 0.9 * self.state["mean"] + 0.1 * np.mean(x, axis=0)
        return x - self.state["mean"]


@layer()
class state_updated(_Stateful):
    """`state.update(…)`."""

    def train(self, x):
        self.state.update(mean=0.9 * self.state["mean"] + 0.1 * namespace_of(x).mean(x, axis=0))
        return x - self.state["mean"]


@layer()
class state_replaced_whole(_Stateful):
    """`self.state = {…}`."""

    def train(self, x):
        mean = 0.9 * self.state["mean"] + 0.1 * namespace_of(x).mean(x, axis=0)
        self.state = {"mean": mean, "calls": self.state["calls"] + 1}
        return x - mean


@layer()
class state_written_into(_Stateful):
    """`state[key][…] = value`."""

    def train(self, x):
        self.state["mean"][...] = 0.9 * self.state["mean"] + 0.1 * namespace_of(x).mean(x, axis=0)
        return x - self.state["mean"]


@layer()
class state_written_by_out(_Stateful):
    """`np.multiply(…, out=state[key])`."""

    def train(self, x):
        np.multiply(self.state["mean"], 0.9, out=self.state["mean"])
        self.state["mean"] += 0.1 * x.mean(axis=0)
        return x - self.state["mean"]


@layer()
class state_entry_by_entry(_Stateful):
    """`state[key][i] += value`."""

    def train(self, x):
        for i in range(x.shape[1]):
            self.state["mean"][i] += 0.1 * (x[:, i].mean() - self.state["mean"][i])
        return x - self.state["mean"]


@layer()
class state_read_as_a_number(_Stateful):
    """`int(state[key])` in an `if`."""

    def train(self, x):
        self.state["calls"] += 1
        return x * 0.5 if int(self.state["calls"]) > self.k else x


@layer()
class state_in_an_if(_Stateful):
    """`if state[key] > k`."""

    def train(self, x):
        self.state["calls"] += 1
        return x * 0.5 if self.state["calls"] > self.k else x


@layer()
class state_with_a_late_key(_Stateful):
    """A key of the state that comes with the first batch."""

    def train(self, x):
        if "late" not in self.state:
            self.state["late"] = namespace_of(x).mean(x, axis=0)
        self.state["late"] *= 0.9
        return x - self.state["late"]


@layer()
class state_held_by_another_name(_Stateful):
    """Holds its state's array by an attribute."""

    def __init__(self, m):
        super().__init__(m)
        self.mean = self.state["mean"]

    def train(self, x):
        self.mean *= 0.9
        self.mean += 0.1 * x.mean(axis=0)
        return x - self.mean


@layer()
class state_kept_as_it_was(_Stateful):
    """Keeps a reference to the state before it is changed in place."""

    def train(self, x):
        before = self.state["mean"]
        self.state["mean"] *= 0.9
        self.state["mean"] += 0.1 * namespace_of(x).mean(x, axis=0)
        return x - before


@layer()
class inner_dropout(User):
    """Another layer inside, whose state the network does not know."""

    _attributes = {"inner": lambda m: Dropout(0.3, seed=m.k)}

    def train(self, x):
        return self.inner.forward(x, training=True)

    def backward(self, dout):
        return self.inner.backward(dout)


@layer()
class inner_normalization(User):
    """Batch normalization inside, whose parameters and state the network does not know."""

    _attributes = {"inner": lambda m: LayerNormalization(m.ones(m.width), m.normal(m.width))}

    def train(self, x):
        return self.inner.forward(x, training=True)

    def backward(self, dout):
        dout = self.inner.backward(dout)
        self.inner.params["gamma"] -= 0.01 * self.inner.grads["gamma"]
        return dout


@layer()
class inner_relu(User):
    """A layer without a state inside."""

    _attributes = {"inner": lambda m: ReLU()}

    def train(self, x):
        return self.inner.forward(x, training=True)

    def backward(self, dout):
        return self.inner.backward(dout)


@layer()
class knows_the_optimizer(User):
    """Reads the optimizer's steps."""

    optimizer = None

    def attach(self, network, optimizer):
        self.optimizer = optimizer

    def train(self, x):
        return x * 0.5 if self.optimizer.steps > self.k else x


@layer()
class knows_the_slots(User):
    """Reads the optimizer's slots, if it has any."""

    optimizer = None

    def attach(self, network, optimizer):
        self.optimizer = optimizer

    def train(self, x):
        slots = getattr(self.optimizer, "slots", {})
        return x * (1.0 + sum(float(abs(v).max()) for v in slots.values()))


@layer()
class knows_the_network(User):
    """Reads the parameters of other layers."""

    network = None

    def attach(self, network, optimizer):
        self.network = network

    def train(self, x):
        xp = namespace_of(x)
        return x * (1.0 + 0.01 * sum(xp.sum(p * p) for p in self.network.params.values()))


@layer()
class changes_the_network(User):
    """Changes the network's weight decay at a step."""

    _attributes = {"calls": 0}
    network = None

    def attach(self, network, optimizer):
        self.network = network

    def train(self, x):
        self.calls += 1
        if self.calls == self.k:
            self.network.weight_decay = 0.1
        return x


@layer()
class changes_the_optimizer(User):
    """Halves the learning rate in every k-th step."""

    _attributes = {"calls": 0}
    optimizer = None

    def attach(self, network, optimizer):
        self.optimizer = optimizer

    def train(self, x):
        self.calls += 1
        if self.calls % self.k == 0 and not callable(self.optimizer.lr):
            self.optimizer.lr *= 0.5
        return x


# What is kept from forward to backward under names of its own.


@layer()
class keeps_x(User):
    """`self.x = x`."""

    def train(self, x):
        self.x = x
        return x * x * 0.5

    def backward(self, dout):
        return dout * self.x


@layer()
class keeps_the_mask(User):
    """The book's ReLU: `self.mask`, `out[self.mask] = 0`, `dout[self.mask] = 0`."""

    def train(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout = dout.copy()
        dout[self.mask] = 0
        return dout


@layer()
class keeps_the_output(User):
    """The book's Sigmoid: `self.out`."""

    def train(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * (1.0 - self.out) * self.out


@layer()
class keeps_the_output_of_the_standard(User):
    """`self.out`, computed by the standard's functions alone."""

    def train(self, x):
        xp = namespace_of(x)
        self.out = xp.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1.0 - self.out * self.out)


@layer()
class keeps_the_shape(User):
    """`self.shape = x.shape`."""

    def train(self, x):
        self.shape = x.shape
        return x.reshape(-1)[None, :].reshape(self.shape)

    def backward(self, dout):
        return dout.reshape(self.shape)


@layer()
class keeps_a_tuple(User):
    """`self.kept = (x, mean, n)`."""

    def train(self, x):
        xp = namespace_of(x)
        self.kept = (x, xp.mean(x, axis=1, keepdims=True), x.shape[0])
        return x - self.kept[1]

    def backward(self, dout):
        x, mean, n = self.kept
        return dout * (1.0 + 0.01 * mean) / (1.0 + 0.1 * n) + 0.0 * x


@layer(kept=lambda m: [])
class keeps_a_stack(User):
    """Pushes in forward, pops in backward."""

    def train(self, x):
        self.kept.append(x * 0.5)
        return x * x * 0.25

    def backward(self, dout):
        return dout * self.kept.pop()


@layer()
class keeps_an_object(User):
    """A new object with what backward needs."""

    def train(self, x):
        self.context = SimpleNamespace(x=x, positive=x > 0)
        return namespace_of(x).where(self.context.positive, x, 0.1 * x)

    def backward(self, dout):
        return namespace_of(dout).where(self.context.positive, dout, 0.1 * dout)


@layer()
class keeps_a_closure(User):
    """A function for backward, with x in it."""

    def train(self, x):
        self.pullback = lambda dout: dout * x
        return 0.5 * x * x

    def backward(self, dout):
        return self.pullback(dout)


@layer()
class keeps_and_changes(User):
    """Changes what it kept, in place, in backward."""

    def train(self, x):
        self.factor = x * 0.5
        return x * x * 0.25

    def backward(self, dout):
        self.factor *= dout
        return self.factor


# Constants.


@layer(scale=None)
def constant_made_late(self, x):
    """A constant that is made with the first batch."""
    if self.scale is None:
        self.scale = np.linspace(0.5, 1.5, x.shape[1]).astype(x.dtype)
    return x * self.scale


@layer(made=lambda m: {})
def constants_by_shape(self, x):
    """Constants that are made for each shape."""
    if x.shape not in self.made:
        self.made[x.shape] = np.linspace(0.5, 1.5, x.size).reshape(x.shape).astype(x.dtype)
    return x * self.made[x.shape]


@layer(centre=None)
def constant_of_the_first_batch(self, x):
    """A constant that is computed from the first batch."""
    if self.centre is None:
        self.centre = namespace_of(x).mean(x, axis=0)
    return x - self.centre


@layer(W=lambda m: np.asfortranarray(m.normal(m.width, m.width)))
def constant_of_fortran(self, x):
    """A product with a constant in Fortran's layout."""
    return x @ self.W


@layer(W=lambda m: m.normal(2 * m.width, 2 * m.width)[::2, ::2])
def constant_with_gaps(self, x):
    """A product with a constant that is not contiguous."""
    return x @ self.W


@layer(W=lambda m: m.normal(m.width, m.width)[::-1, ::-1])
def constant_backwards(self, x):
    """A product with a constant of negative strides."""
    return namespace_of(x).matmul(x, self.W)


@layer(W=lambda m: m.normal(m.width, m.width))
def constant_transposed(self, x):
    """A product with `W.T`."""
    return x @ self.W.T


@layer(W=lambda m: m.normal(m.width, m.width))
def column_of_a_constant(self, x):
    """`x @ W[:, 0]`."""
    return x * np.tanh(0.1 * (x @ self.W[:, 0]))[:, None]


@layer(W=lambda m: m.normal(m.width, m.width))
def column_of_a_constant_by_the_standard(self, x):
    """`xp.matmul(x, W[:, 0])`, the standard's functions alone."""
    xp = namespace_of(x)
    return x * xp.tanh(0.1 * xp.matmul(x, self.W[:, 0]))[:, None]


@layer(W=lambda m: np.asfortranarray(m.normal(m.width, m.width)))
def sum_of_a_fortran_product(self, x):
    """Elementwise and sums with a constant in Fortran's layout."""
    xp = namespace_of(x)
    return x * xp.sum(self.W * 0.1, axis=0) + xp.mean(xp.exp(self.W))


@layer(row=lambda m: np.broadcast_to(m.normal(1), (m.width,)))
def constant_broadcast(self, x):
    """A constant of stride 0."""
    return x * (1.0 + self.row)


@layer(scale=lambda m: np.float64(0.5))
def constant_numpy_scalar(self, x):
    """A NumPy scalar for a constant, of float64."""
    return (x * self.scale).astype(x.dtype)


@layer(scale=lambda m: m.ones(m.width).tolist())
def constant_list(self, x):
    """A list for a constant."""
    return x * np.asarray(self.scale, x.dtype)


@layer(scale=lambda m: m.ones(m.width))
def constant_read_only(self, x):
    """A constant that may not be written to."""
    self.scale.flags.writeable = False
    return x * self.scale


@layer()
def mirrored(self, x):
    """`x[:, ::-1]` below a product."""
    return x[:, ::-1]


@layer()
class mirrored_both_ways(User):
    """Negative strides forward and backward."""

    def train(self, x):
        return x[::-1, ::-1]

    def backward(self, dout):
        return dout[::-1, ::-1]


@layer()
def fortran_output(self, x):
    """An output in Fortran's layout."""
    return np.asfortranarray(x * 1.5)


@layer()
def output_with_gaps(self, x):
    """An output that is every second column of an array."""
    return np.repeat(x, 2, axis=1)[:, ::2]


@layer()
def output_of_stride_zero(self, x):
    """An output that is one row, broadcast."""
    return np.broadcast_to(x.mean(axis=0), x.shape)


@layer()
def output_broadcast_by_the_standard(self, x):
    """The standard's `broadcast_to`."""
    xp = namespace_of(x)
    return xp.broadcast_to(xp.mean(x, axis=0), x.shape)


@layer()
def output_read_only(self, x):
    """An output that may not be written to."""
    y = x * 0.5
    y.flags.writeable = False
    return y


# Parameters by other names.


class _Gain(Layer):
    """Layers with one parameter."""

    def __init__(self, m):
        super().__init__(gain=m.ones(m.width))
        self.k = m.k
        self.calls = 0

    def forward(self, x, *, training=False):
        self.x = x
        return self.train(x) if training else x * self.params["gain"]

    def train(self, x):
        return x * self.params["gain"]

    def backward(self, dout):
        self.grads["gain"] = namespace_of(dout).sum(dout * self.x, axis=0)
        return dout * self.params["gain"]


@layer()
class parameter_held_by_an_attribute(_Gain):
    """Holds the parameter's array from the constructor on."""

    def __init__(self, m):
        super().__init__(m)
        self.gain = self.params["gain"]

    def train(self, x):
        return x * self.gain


@layer()
class parameter_by_a_property(_Gain):
    """`self.gain`, a property."""

    @property
    def gain(self):
        return self.params["gain"]

    def train(self, x):
        return x * self.gain


@layer()
class parameter_held_late(_Gain):
    """Holds the parameter's array from the first batch on."""

    gain = None

    def train(self, x):
        if self.gain is None:
            self.gain = self.params["gain"]
        return x * self.gain


@layer()
class parameter_by_vars(_Gain):
    """Reads the parameter behind the property."""

    def train(self, x):
        return x * vars(self)["_params"]["gain"]


@layer()
class parameter_projected(_Gain):
    """Changes its parameter in forward, in place."""

    def train(self, x):
        self.params["gain"] *= 0.99
        return x * self.params["gain"]


@layer()
class parameter_clipped_by_numpy(_Gain):
    """Clips its parameter in forward by `np.clip(…, out=)`."""

    def train(self, x):
        np.clip(self.params["gain"], 0.9, 1.1, out=self.params["gain"])
        return x * self.params["gain"]


@layer()
class parameter_set(_Gain):
    """`params[key] = value` in forward."""

    def train(self, x):
        self.params["gain"] = self.params["gain"] * 0.99
        return x * self.params["gain"]


@layer()
class parameter_read(_Gain):
    """`if` on a parameter."""

    def train(self, x):
        return x * self.params["gain"] if self.params["gain"][0] > 0.97 else x * 0.5


@layer()
class parameter_norm_read(_Gain):
    """`np.linalg.norm` of a parameter."""

    def train(self, x):
        norm = np.linalg.norm(self.params["gain"])
        return (x * (self.params["gain"] / norm)).astype(x.dtype)


@layer()
class parameter_as_a_float(_Gain):
    """`float(params[key][0])`."""

    def train(self, x):
        return x * float(self.params["gain"][0])


@layer()
class gradient_set_whole(_Gain):
    """`self.grads = {…}`."""

    def backward(self, dout):
        self.grads = {"gain": (dout * self.x).sum(axis=0)}
        return dout


@layer()
class gradient_written_into(_Gain):
    """`self.grads[key][…] = value`, when there is one already."""

    def backward(self, dout):
        if "gain" not in self.grads:
            self.grads["gain"] = np.zeros_like(self.params["gain"])
        self.grads["gain"][...] = (dout * self.x).sum(axis=0)
        return dout


@layer()
class gradient_by_einsum(_Gain):
    """`np.einsum`."""

    def backward(self, dout):
        self.set_grad("gain", np.einsum, "nd,nd->d", dout, self.x)
        return dout


@layer()
class gradient_accumulated(_Gain):
    """Adds to the gradient of the step before."""

    def backward(self, dout):
        before = self.grads.get("gain", 0.0)
        self.grads["gain"] = 0.5 * before + namespace_of(dout).sum(dout * self.x, axis=0)
        return dout


@layer()
class gradient_every_second_time(_Gain):
    """Trains its parameter in every second step only."""

    def backward(self, dout):
        self.calls += 1
        gradient = namespace_of(dout).sum(dout * self.x, axis=0)
        self.grads["gain"] = gradient if self.calls % 2 else gradient * 0.0
        return dout


@layer()
class gradient_by_out(_Gain):
    """`np.sum(…, out=self.grads[key])`."""

    def backward(self, dout):
        self.grads.setdefault("gain", np.zeros_like(self.params["gain"]))
        np.sum(dout * self.x, axis=0, out=self.grads["gain"])
        return dout


@layer()
class gradient_by_a_branch(_Gain):
    """Drops gradients that are large."""

    def backward(self, dout):
        gradient = namespace_of(dout).sum(dout * self.x, axis=0)
        self.grads["gain"] = gradient if abs(gradient).max() < 0.1 else gradient * 0.5
        return dout


# Subclasses of the package's layers.


@layer()
class counting_relu(ReLU):
    """A ReLU that counts and leaks from a step on."""

    def __init__(self, m):
        super().__init__()
        self.k, self.calls = m.k, 0

    def forward(self, x, *, training=False):
        self.calls += training
        return super().forward(x, training=training) + (0.1 if self.calls > self.k else 0.0)


@layer()
class noisy_affine(Affine):
    """An Affine with noise on its weights, rarely."""

    def __init__(self, m):
        super().__init__(m.normal(m.width, m.width), m.normal(m.width))
        self.rng = np.random.default_rng(m.k)

    def forward(self, x, *, training=False):
        y = super().forward(x, training=training)
        return y * 0.5 if training and self.rng.random() < 0.1 else y


@layer()
class affine_that_keeps_its_input(Affine):
    """`self.x = x` beside the package's own forward."""

    def __init__(self, m):
        super().__init__(m.normal(m.width, m.width), m.normal(m.width))

    def forward(self, x, *, training=False):
        self.x = x
        return super().forward(x, training=training)

    def backward(self, dout):
        return super().backward(dout) + 0.01 * self.x


@layer()
class affine_of_unit_norm(Affine):
    """Weights that are normalized in place after every forward."""

    def __init__(self, m):
        super().__init__(m.normal(m.width, m.width), m.normal(m.width))

    def forward(self, x, *, training=False):
        if training:
            self.params["W"] /= np.linalg.norm(self.params["W"], axis=0)
        return super().forward(x, training=training)


@layer()
class affine_frozen_at_first(Affine):
    """Its gradients are zero up to a step."""

    def __init__(self, m):
        super().__init__(m.normal(m.width, m.width), m.normal(m.width))
        self.k, self.calls = m.k, 0

    def backward(self, dout):
        self.calls += 1
        dx = super().backward(dout)
        if self.calls < self.k:
            self.grads["W"] *= 0.0
            self.grads["b"] *= 0.0
        return dx


@layer()
class scheduled_dropout(Dropout):
    """A dropout whose ratio rises with every call."""

    def __init__(self, m):
        super().__init__(0.1, seed=m.k)

    def forward(self, x, *, training=False):
        if training:
            self.ratio = min(0.5, self.ratio + 0.01)
        return super().forward(x, training=training)


@layer()
class dropout_that_begins_late(Dropout):
    """A dropout that does nothing up to a step."""

    def __init__(self, m):
        super().__init__(0.3, seed=m.k)
        self.k, self.calls = m.k, 0

    def forward(self, x, *, training=False):
        self.calls += training
        return super().forward(x, training=training and self.calls > self.k)

    def backward(self, dout):
        return super().backward(dout) if self.calls > self.k else dout


@layer()
class random_slope(LeakyReLU):
    """A slope that is drawn in every forward."""

    def __init__(self, m):
        super().__init__(0.1)
        self.rng = np.random.default_rng(m.k)

    def forward(self, x, *, training=False):
        if training:
            self.slope = float(self.rng.uniform(0.1, 0.3))
        return super().forward(x, training=training)


@layer()
class batch_renormalization(BatchNormalization):
    """Momentum that falls with the count of batches, as PyTorch's `momentum=None`."""

    def __init__(self, m):
        super().__init__(m.ones(m.width), m.normal(m.width))
        self.batches = 0

    def forward(self, x, *, training=False):
        if training and x.shape[0] > 1:
            self.batches += 1
            self.momentum = 1.0 - 1.0 / self.batches
            return super().forward(x, training=True)
        self.saved = None
        return x

    def backward(self, dout):
        return dout if dout.shape[0] == 1 else super().backward(dout)


@layer()
class learns_by_itself(Affine):
    """Changes its parameters in backward, apart from the optimizer."""

    def __init__(self, m):
        super().__init__(m.normal(m.width, m.width), m.normal(m.width))

    def backward(self, dout):
        dx = super().backward(dout)
        self.params["b"] -= 0.01 * self.grads["b"]
        return dx


# Scratch memory.


@layer(buffer=lambda m: np.zeros((64, m.width), m.dtype))
def scratch_buffer(self, x):
    """`self.buffer[…] = …`, and a view of it goes out."""
    y = self.buffer[: x.shape[0]]
    y[...] = x
    y *= 0.5
    return y


@layer(buffer=lambda m: {})
def scratch_by_shape(self, x):
    """Memory for every shape, and `out=`."""
    y = self.buffer.setdefault(x.shape, np.empty_like(x))
    np.multiply(x, 0.5, out=y)
    return y


@layer(buffer=lambda m: np.zeros((64, m.width), m.dtype))
def scratch_with_old_contents(self, x):
    """A buffer whose other rows keep what earlier batches left there."""
    self.buffer[: x.shape[0]] = x
    return x - 0.1 * self.buffer.mean(axis=0)


@layer(buffer=lambda m: np.zeros((64, m.width), m.dtype))
def scratch_moving_average(self, x):
    """A buffer that averages what it is given."""
    y = self.buffer[: x.shape[0]]
    y += 0.5 * (x - y)
    return y * 1.0


@layer()
def writes_into_its_input(self, x):
    """`x *= 0.5`, in place."""
    x *= 0.5
    return x


@layer()
class writes_into_dout(User):
    """`dout *= 0.5`, in place."""

    def train(self, x):
        return x

    def backward(self, dout):
        dout *= 0.5
        return dout


@layer()
class returns_one_array_twice(User):
    """The same array in every call, from forward and backward."""

    _attributes = {"memory": lambda m: {}}

    def train(self, x):
        self.memory.setdefault(x.shape, np.empty_like(x))[...] = x * 0.9
        return self.memory[x.shape]

    def backward(self, dout):
        self.memory[dout.shape][...] = dout * 0.9
        return self.memory[dout.shape]


# Values that are read.


@layer()
def if_on_the_mean(self, x):
    """`if x.mean() > 0`."""
    return x * 0.5 if x.mean() > 0 else x


@layer()
def if_on_the_mean_by_the_standard(self, x):
    """`if xp.mean(x) > 0`."""
    return x * 0.5 if namespace_of(x).mean(x) > 0 else x


@layer()
def if_on_a_rare_value(self, x):
    """`if x.max() > …`, seldom true."""
    return x * 0.5 if x.max() > 2.5 else x


@layer()
def if_on_an_entry(self, x):
    """`if x[0, 0] > 0`."""
    return x * 0.5 if x[0, 0] > 0 else x


@layer()
def float_of_a_sum(self, x):
    """`float(x.sum())`."""
    return x * (1.0 + 0.01 * math.tanh(float(x.sum())))


@layer()
def item_of_a_maximum(self, x):
    """`x.max().item()`."""
    return x / (1.0 + abs(x.max().item()))


@layer()
def index_of_a_maximum(self, x):
    """`operator.index(x.argmax())` as an index."""
    i = operator.index(x.argmax()) % x.shape[0]
    return x - 0.1 * x[i]


@layer()
def argmax_as_an_index(self, x):
    """An index that is an array."""
    return x - 0.1 * x[np.argmax(x[:, 0])]


@layer()
def tolist(self, x):
    """`x.tolist()`."""
    return np.asarray([[0.5 * v for v in row] for row in x.tolist()], x.dtype)


@layer()
def rows_by_a_loop(self, x):
    """`for row in x`."""
    return np.stack([row / (1.0 + abs(row).max()) for row in x])


@layer()
def any_is_nan(self, x):
    """`if np.isnan(x).any()`."""
    return np.zeros_like(x) if np.isnan(x).any() else x * 0.9


@layer()
def assert_finite(self, x):
    """`assert np.isfinite(x).all()`."""
    assert np.isfinite(x).all()
    return x * 0.9


@layer()
def while_on_the_norm(self, x):
    """`while norm > …`."""
    while (x * x).sum() > 4.0:
        x = x * 0.5
    return x


@layer()
def bytes_of_x(self, x):
    """`hash(x.tobytes())`."""
    return x * 0.5 if sum(x.tobytes()) % 5 == 0 else x


@layer()
def text_of_x(self, x):
    """`f"{x.mean():.3f}"`."""
    return x * 0.5 if f"{float(x.mean()):.3f}".endswith(("1", "4")) else x


@layer()
def repr_of_x(self, x):
    """`str(x[0])`."""
    return x * 0.5 if len(str(x[0])) % 3 == 0 else x


@layer()
def sorted_values(self, x):
    """`sorted(x[:, 0])`."""
    return x - 0.1 * float(sorted(x[:, 0])[0])


@layer()
def round_of_a_number(self, x):
    """`round(float(…), 1)`."""
    return x * (1.0 + round(float(x.mean()), 1))


@layer()
def slice_by_a_value(self, x):
    """A slice as long as a value says."""
    n = int((x[:, 0] > 0).sum())
    return x - 0.1 * x[: n + 1].sum(axis=0)


@layer(previous=None)
def equal_to_the_last(self, x):
    """`np.array_equal` with the batch before."""
    same = self.previous is not None and np.array_equal(x, self.previous)
    self.previous = x.copy()
    return x * 0.5 if same else x


@layer(last=None)
def is_the_last(self, x):
    """`x is self.last`."""
    same, self.last = x is self.last, x
    return x * 0.5 if same else x


@layer(last=None)
def shares_memory_with_the_last(self, x):
    """`np.shares_memory` with an output that is kept."""
    same = self.last is not None and np.shares_memory(x, self.last)
    self.last = x
    return x * 0.5 if same else x


@layer()
def memoryview_of_x(self, x):
    """`memoryview(x)`."""
    return x * 0.5 if memoryview(np.ascontiguousarray(x)).cast("B")[0] % 7 == 0 else x


@layer()
def frombuffer(self, x):
    """`np.frombuffer(x.tobytes())`."""
    return np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape) * 0.5


@layer()
def array_of_an_array(self, x):
    """`np.array(x)`, `np.asarray(x)`, `np.ascontiguousarray(x)`."""
    return np.array(x) * 0.5 + np.asarray(x) * 0.25 + np.ascontiguousarray(x) * 0.125


@layer()
def asarray_written_into(self, x):
    """`np.asarray(x)` shares memory; written into."""
    y = x * 1.0
    np.asarray(y)[:, 0] = 0.0
    return y


@layer()
def dlpack(self, x):
    """`np.from_dlpack(x)`."""
    return np.from_dlpack(x) * 0.5


class Exposing:
    """An object that shows an array's memory."""

    def __init__(self, x):
        self.__array_interface__ = x.__array_interface__
        self.kept = x


@layer()
def array_interface(self, x):
    """`__array_interface__`."""
    return np.asarray(Exposing(x * 1.0)) * 0.5


@layer()
def contains(self, x):
    """`value in x`."""
    return x * 0.5 if 0.0 in x else x


# Which kind of number or array it is.


@layer()
def isinstance_floating(self, x):
    """`isinstance(x.sum(), np.floating)`."""
    return x * 0.5 if isinstance(x.sum(), np.floating) else x


@layer()
def isinstance_real(self, x):
    """`isinstance(…, Real)`."""
    s = namespace_of(x).sum(x)
    return x * (0.5 if isinstance(s, Real) else 0.75)


@layer()
def isinstance_number(self, x):
    """`isinstance(…, Number)` of an entry."""
    return x * 0.5 if isinstance(x[0, 0], Number) else x


@layer()
def isinstance_ndarray(self, x):
    """`isinstance(x, np.ndarray)`."""
    return x * 0.5 if isinstance(x, np.ndarray) else x


@layer()
def type_is_ndarray(self, x):
    """`type(x) is np.ndarray`."""
    return x * 0.5 if type(x) is np.ndarray else x


@layer()
def name_of_the_type(self, x):
    """`type(x).__name__`."""
    return x * 0.5 if type(x).__name__ == "ndarray" else x


@layer()
def isscalar(self, x):
    """`np.isscalar`."""
    return x * 0.5 if np.isscalar(x.mean()) else x


@layer()
class dout_is_real(User):
    """`isinstance(…, Real)` of what backward computes."""

    def train(self, x):
        return x

    def backward(self, dout):
        total = dout.sum()
        return dout * (0.5 if isinstance(total, Real) else 0.75)


@layer()
def flags(self, x):
    """`x.flags.c_contiguous`, `x.flags.owndata`, `x.base`."""
    factor = 1.0 - 0.1 * x.flags.c_contiguous - 0.2 * x.flags.owndata - 0.3 * (x.base is None)
    return x * factor


@layer()
def strides(self, x):
    """`x.strides`."""
    return x * (1.0 / (1.0 + 0.01 * abs(x.strides[0])))


@layer()
def hasattr_of_a_sum(self, x):
    """`hasattr(s, "shape")`, `s.dtype`."""
    s = x.sum(axis=0).sum()
    return x * (0.5 if hasattr(s, "shape") and s.dtype == x.dtype else 0.75)


@layer()
def scalar_or_array(self, x):
    """`s[()]`, `s.ndim`, `np.ndim(s)`."""
    s = namespace_of(x).mean(x)
    return x - 0.1 * s[()] * (1.0 + np.ndim(s))


# Powers and promotion.


@layer()
def root_of_a_sum(self, x):
    """`norm ** 0.5`."""
    norm = namespace_of(x).sum(x * x) ** 0.5
    return x / (1.0 + norm)


@layer()
def root_of_a_method_sum(self, x):
    """`(x * x).sum() ** 0.5`."""
    return x / (1.0 + (x * x).sum() ** 0.5)


@layer()
def root_of_an_array(self, x):
    """`x ** 0.5`."""
    return (x * x + 0.1) ** 0.5


@layer()
def power_minus_one(self, x):
    """`x ** -1`."""
    return (1.0 + x * x) ** -1


@layer()
def power_minus_one_of_a_sum(self, x):
    """`s ** -1`."""
    return x * (1.0 + namespace_of(x).sum(x * x)) ** -1


@layer()
def power_two(self, x):
    """`x ** 2` and `x ** 2.0`."""
    return 0.1 * x**2 + 0.1 * x**2.0


@layer()
def power_three_of_a_sum(self, x):
    """`s ** 3`."""
    return x * (0.01 * namespace_of(x).mean(x) ** 3 + 1.0)


@layer()
def power_of_two(self, x):
    """`2.0 ** x`."""
    return 0.3 * 2.0 ** (-x * x)


@layer()
def power_of_arrays(self, x):
    """`a ** b`."""
    return (1.0 + x * x) ** (-0.5 * x * x - 0.1)


@layer()
def power_third(self, x):
    """`abs(x) ** (1 / 3)`."""
    return abs(x) ** (1 / 3)


@layer()
def power_in_place(self, x):
    """`y **= 2`."""
    y = x * 0.5
    y **= 2
    return y


@layer()
def float64_scalar(self, x):
    """A NumPy scalar of float64 promotes."""
    return (x * np.float64(0.1) + x).astype(x.dtype)


@layer()
def sum_as_a_factor(self, x):
    """A sum of x as a factor: a scalar when called."""
    return x * (1.0 / (1.0 + x.max() * x.max()))


@layer()
def scalar_arithmetic(self, x):
    """Arithmetic of scalars before they meet an array."""
    xp = namespace_of(x)
    mean, peak = xp.mean(x), xp.max(x)
    return x * ((mean - peak) / (1.0 + peak * peak) % 1.0 + 0.5)


@layer()
def scalar_functions(self, x):
    """`xp.exp` and others of a scalar."""
    xp = namespace_of(x)
    mean = xp.mean(x)
    return x * (xp.exp(-mean * mean) + xp.sqrt(abs(mean)) + xp.tanh(mean))


@layer()
def integer_arithmetic(self, x):
    """Whole numbers and back."""
    return x + 0.01 * ((10 * x).astype(np.int64) // 3).astype(x.dtype)


@layer()
def half_and_back(self, x):
    """`astype(float16)` and back."""
    return x.astype(np.float16).astype(x.dtype)


@layer()
def astype_without_a_copy(self, x):
    """`astype(x.dtype, copy=False)`, then in place on it."""
    y = x.astype(x.dtype, copy=False)
    return y * 0.5 + (y.astype(x.dtype, order="F") * 0.25)


@layer()
def mean_in_float64(self, x):
    """`x.mean(dtype=np.float64)`."""
    return (x - x.mean(axis=0, dtype=np.float64)).astype(x.dtype)


@layer()
def mixed_with_booleans(self, x):
    """`x * (x > 0)`, `(x > 0) + (x > 1)`."""
    return x * (x > 0) + 0.1 * ((x > 0).astype(x.dtype) + (x > 1))


@layer()
def bit_operations(self, x):
    """`~`, `&`, `|`, `^` of masks."""
    mask = ~(x > 0) & (x < 1) | (x > 2) ^ (x < -2)
    return namespace_of(x).where(mask, x, 0.5 * x)


# Functions with several outputs, and targets.


@layer()
def modf(self, x):
    """`np.modf`, two outputs."""
    fraction, whole = np.modf(x)
    return fraction + 0.1 * whole


@layer()
def frexp(self, x):
    """`np.frexp`, two outputs of two dtypes."""
    mantissa, exponent = np.frexp(x)
    return mantissa + 0.01 * exponent.astype(x.dtype)


@layer()
def divmod_of_numpy(self, x):
    """`np.divmod`."""
    quotient, rest = np.divmod(x, 0.5)
    return 0.1 * quotient + rest


@layer()
def divmod_of_python(self, x):
    """`divmod(x, 0.5)`."""
    quotient, rest = divmod(x, 0.5)
    return 0.1 * quotient + rest


@layer()
def floor_and_rest(self, x):
    """`x // 0.5`, `x % 0.5`."""
    return 0.1 * (x // 0.5) + x % 0.5


@layer()
def modf_into(self, x):
    """`np.modf(x, a, b)`."""
    fraction, whole = np.empty_like(x), np.empty_like(x)
    np.modf(x, fraction, whole)
    return fraction + 0.1 * whole


@layer()
def divide_where(self, x):
    """`np.divide(where=, out=)`."""
    return np.divide(x, np.abs(x) - 0.5, out=np.zeros_like(x), where=np.abs(x) > 0.6)


@layer()
def multiply_where(self, x):
    """`np.multiply(y, 0.1, out=y, where=y < 0)`."""
    y = x * 1.0
    np.multiply(y, 0.1, out=y, where=y < 0)
    return y


@layer()
def log_where(self, x):
    """`np.log(where=)` into an array that is given."""
    y = np.full_like(x, -1.0)
    np.log(x, out=y, where=x > 0.1)
    return y


@layer()
def sum_where(self, x):
    """`x.sum(where=)`, `np.max(where=, initial=)`."""
    positive = x > 0
    return x - 0.1 * x.sum(axis=0, where=positive) - 0.1 * np.max(x, axis=0, where=positive, initial=0.0)


@layer()
def copyto_where(self, x):
    """`np.copyto(where=)`."""
    y = x * 0.5
    np.copyto(y, x, where=x > 0)
    return y


@layer()
def out_of_another_dtype(self, x):
    """`np.add(…, out=)` into float64."""
    y = np.empty(x.shape, np.float64)
    np.add(x, 0.1, out=y)
    return (y * 0.5).astype(x.dtype)


@layer()
def out_of_half_precision(self, x):
    """`np.multiply(…, out=)` into float16, `casting="unsafe"`."""
    y = np.empty(x.shape, np.float16)
    np.multiply(x, 0.3, out=y, casting="unsafe")
    return y.astype(x.dtype)


@layer()
def out_of_integers(self, x):
    """`np.multiply(…, out=)` into whole numbers."""
    y = np.empty(x.shape, np.int32)
    np.multiply(x, 10.0, out=y, casting="unsafe")
    return (0.1 * y).astype(x.dtype)


@layer()
def dtype_of_a_ufunc(self, x):
    """`np.add(dtype=)`."""
    return np.add(x, 0.1, dtype=np.float64).astype(x.dtype)


@layer()
def positional_out(self, x):
    """`np.add(x, 1, y)`, and `np.add(y, 1, y)`."""
    y = np.empty_like(x)
    np.add(x, 1.0, y)
    np.add(y, 1.0, y)
    return 0.3 * y


@layer()
def tuple_out(self, x):
    """`np.exp(x, out=(y,))`."""
    y = np.empty_like(x)
    np.exp(-x * x, out=(y,))
    return y


@layer()
def positional_out_of_a_function(self, x):
    """`np.round(x, 1, y)`, `np.clip(x, a, b, y)`, `x.clip(…, out=)`."""
    y = np.empty_like(x)
    np.round(x, 1, y)
    np.clip(y, -1.0, 1.0, y)
    y.clip(-0.9, 0.9, out=y)
    return y


@layer()
def out_is_a_view(self, x):
    """`np.add(…, out=y[:, 1:])`."""
    y = x * 1.0
    np.add(x[:, 1:], x[:, :-1], out=y[:, 1:])
    return 0.5 * y


@layer()
def out_overlaps(self, x):
    """`np.add(y[:, 1:], y[:, :-1], out=y[:, 1:])`: input and output overlap."""
    y = x * 1.0
    np.add(y[:, 1:], y[:, :-1], out=y[:, 1:])
    return 0.5 * y


@layer(W=lambda m: m.normal(m.width, m.width))
def matmul_out(self, x):
    """`np.matmul(out=)`, `np.dot(a, b, y)`."""
    y, z = np.empty_like(x), np.empty_like(np.ascontiguousarray(x))
    np.matmul(x, self.W, out=y)
    np.dot(x, self.W, z)
    return 0.5 * y + 0.5 * z


@layer(W=lambda m: m.normal(m.width, m.width))
def matmul_out_with_gaps(self, x):
    """`np.matmul(x[:, ::-1], W, out=)`, strided."""
    y = np.empty((x.shape[0], 2 * x.shape[1]), x.dtype)[:, ::2]
    np.matmul(x[:, ::-1], self.W[::-1].T, out=y)
    return y


@layer(W=lambda m: m.normal(m.width, m.width))
def matmul_in_place(self, x):
    """`y @= W`."""
    y = x * 1.0
    y @= self.W
    return y


@layer()
def cumsum_out(self, x):
    """`np.cumsum(out=)`."""
    y = np.empty_like(x)
    np.cumsum(x, axis=1, out=y)
    return 0.3 * y


@layer()
def concatenate_out(self, x):
    """`np.concatenate(out=)`, `np.stack(out=)`."""
    y, z = np.empty_like(x), np.empty((2, *x.shape), x.dtype)
    np.concatenate([x[:, 1:], x[:, :1]], axis=1, out=y)
    np.stack([x, y], out=z)
    return 0.3 * (y + z[0])


@layer()
def take_out(self, x):
    """`x.take(out=)`, `np.take`."""
    y = np.empty_like(x)
    x.take(range(x.shape[1] - 1, -1, -1), axis=1, out=y, mode="clip")
    return 0.5 * (y + np.take(x, [0], axis=1))


@layer()
def reduce_out(self, x):
    """`np.add.reduce(out=)`, `np.sum(out=)`, `x.mean(out=)`."""
    a, b, c = (np.empty(x.shape[1], x.dtype) for _ in range(3))
    np.add.reduce(x, axis=0, out=a)
    np.sum(x, axis=0, out=b)
    x.mean(axis=0, out=c)
    return x - 0.1 * (a + b + c)


@layer()
def outer_out(self, x):
    """`np.outer(out=)`."""
    y = np.empty_like(np.ascontiguousarray(x))
    np.outer(x[:, 0], x[0], out=y)
    return 0.5 * y


@layer()
def ufunc_methods(self, x):
    """`accumulate`, `outer`, `reduceat`."""
    a = np.maximum.accumulate(x, axis=1)
    b = np.multiply.outer(x[:, 0], x[0])
    c = np.add.reduceat(x, [0, 1], axis=1)
    return 0.2 * (a + b + c[:, :1])


@layer()
def add_at(self, x):
    """`np.add.at`."""
    y = x * 0.5
    np.add.at(y, (slice(None), [0, 0, 1]), 0.1)
    return y


@layer()
def ldexp(self, x):
    """`np.ldexp`, `np.copysign`, `np.hypot`, `np.spacing`."""
    return np.ldexp(x, -1) + np.copysign(0.1, x) + 0.1 * np.hypot(x, 1.0) + np.spacing(x)


# In place.


@layer()
def in_place_on_a_view(self, x):
    """`y[1:] *= 0.5`."""
    y = x * 1.0
    y[1:] *= 0.5
    return y


@layer()
def in_place_on_a_named_view(self, x):
    """A view with a name, changed in place."""
    y = x * 1.0
    part = y[:, ::2]
    part -= 1.0
    part /= 2.0
    return y


@layer()
def in_place_through_reshape(self, x):
    """`y.reshape(-1)[::2] = 0`."""
    y = x * 1.0
    y.reshape(-1)[::2] = 0.0
    return y


@layer()
def in_place_through_ravel(self, x):
    """`y.ravel()[…]`, a view or a copy."""
    y = (x * 1.0).T
    y.ravel()[::2] = 0.0
    z = x * 1.0
    z.ravel()[::2] = 0.0
    return y.T + z


@layer()
def in_place_through_transpose(self, x):
    """`y.T[0] = 0`, `np.swapaxes(y, 0, 1)[1] = 0`."""
    y = x * 1.0
    y.T[0] = 0.0
    np.swapaxes(y, 0, 1)[1] *= 0.5
    return y


@layer()
def in_place_through_split(self, x):
    """The pieces of `np.split`, changed in place."""
    y = x * 1.0
    first, second = np.split(y, [1], axis=1)
    first *= 0.5
    second += 0.1
    return y


@layer()
def in_place_through_diagonal(self, x):
    """`np.fill_diagonal`, `np.einsum("ii->i")`."""
    y = x * 1.0
    np.fill_diagonal(y, 0.1)
    n = min(y.shape)
    np.einsum("ii->i", y[:n, :n])[...] += 0.1
    return y


@layer()
def in_place_overlapping(self, x):
    """`y[:, 1:] = y[:, :-1]`, `y[:, 1:] += y[:, :-1]`."""
    y = x * 1.0
    y[:, 1:] = y[:, :-1]
    y[:, 1:] += y[:, :-1]
    return 0.5 * y


@layer()
def swapped_columns(self, x):
    """Two columns that are swapped in place."""
    y = x * 1.0
    y[:, 0], y[:, 1] = y[:, 1].copy(), y[:, 0].copy()
    return y


@layer()
def in_place_after_use(self, x):
    """What is changed in place after something was computed from it."""
    y = x * 2.0
    z = y + 1.0
    y += z
    z *= y
    return 0.2 * (y + z)


@layer()
def in_place_broadcast(self, x):
    """`y[:] = row`, `y[...] = number`."""
    y = np.empty_like(x)
    y[:] = x.mean(axis=0)
    y[0, ...] = 0.1
    return y + 0.5 * x


@layer()
def put(self, x):
    """`np.put`, `y.put`."""
    y = x * 1.0
    np.put(y, [0, 2], 0.0)
    y.put([1], 0.1)
    return y


@layer()
def put_along_axis(self, x):
    """`np.put_along_axis`, `np.take_along_axis`."""
    y = x * 1.0
    largest = x.argmax(axis=1)[:, None]
    np.put_along_axis(y, largest, 0.0, axis=1)
    return y + 0.1 * np.take_along_axis(x, largest, axis=1)


@layer()
def place_and_putmask(self, x):
    """`np.place`, `np.putmask`."""
    y = x * 1.0
    np.place(y, y < -0.5, [-0.5, -0.6])
    np.putmask(y, y > 0.5, 0.5)
    return y


@layer()
def sort_in_place(self, x):
    """`y.sort()`, `y.partition()`."""
    y, z = x * 1.0, x * 1.0
    y.sort(axis=1)
    z.partition(1, axis=1)
    return 0.5 * (y + z.min(axis=1, keepdims=True))


@layer()
def fill_and_resize(self, x):
    """`y.fill`, `np.resize`."""
    y = np.empty_like(x)
    y.fill(0.1)
    return y + 0.5 * np.resize(x, x.shape)


@layer()
def flat(self, x):
    """`y.flat[::3] = 0`, `x.flat[0]`."""
    y = x * 1.0
    y.flat[::3] = 0.0
    return y + 0.1 * x.flat[0]


@layer()
def flat_assigned(self, x):
    """`y.flat = x`, `for v in x.flat`."""
    y = np.empty_like(x)
    y.flat = x * 0.5
    return y + 0.01 * sum(float(v) for v in x.flat)


@layer()
def nditer(self, x):
    """`np.nditer` that writes."""
    y = x * 1.0
    for v in np.nditer(y, op_flags=["readwrite"]):
        v[...] = v * 0.5
    return y


@layer()
def ndindex(self, x):
    """A loop over all entries."""
    y = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        y[i] = x[i] * 0.5
    return y


@layer()
def nan_to_num_in_place(self, x):
    """`np.nan_to_num(copy=False)`."""
    y = np.where(x > 1.0, np.nan, x)
    np.nan_to_num(y, copy=False, nan=0.5)
    return y


@layer()
def bits_of_floats(self, x):
    """The sign bit is cleared through `y.view(…)`."""
    y = np.ascontiguousarray(x) * 1.0
    kind = np.uint32 if y.dtype == np.float32 else np.uint64
    y.view(kind)[...] &= kind(np.iinfo(kind).max // 2)
    return y


@layer()
def shape_assigned(self, x):
    """`y = x.copy(); y.resize(…)`, a new shape in place."""
    y = np.array(x, order="C")
    y.resize((x.shape[1], x.shape[0]), refcheck=False)
    return y.reshape(x.shape) * 0.5


@layer()
def setflags(self, x):
    """An error of a read-only array, caught."""
    y = x * 1.0
    y.setflags(write=False)
    try:
        y *= 0.5
    except ValueError:
        return y * 0.25
    return y


# Shapes that depend on values.


@layer()
def unique(self, x):
    """`np.unique`."""
    return x * (1.0 / (1.0 + len(np.unique(np.sign(np.round(x))))))


@layer()
def bincount(self, x):
    """`np.bincount`."""
    counts = np.bincount(np.abs(x[:, 0]).astype(np.int64) % 5)
    return x / (1.0 + counts.max()).astype(x.dtype)


@layer()
def flatnonzero(self, x):
    """`np.flatnonzero`, `np.nonzero`."""
    rows = np.flatnonzero(x[:, 0] > 0)
    y = x * 1.0
    y[rows] *= 0.5
    return y + 0.01 * len(np.nonzero(x > 0.5)[0])


@layer()
def compress(self, x):
    """`x.compress`, `np.extract`."""
    chosen = x.compress(x[:, 0] > 0, axis=0)
    return x - 0.1 * chosen.sum(axis=0) - 0.01 * np.extract(x > 1, x).sum()


@layer()
def argwhere(self, x):
    """`np.argwhere`, `np.where` with one argument."""
    y = x * 1.0
    for i, j in np.argwhere(x > 1.0):
        y[i, j] = 1.0
    rows, columns = np.where(x < -1.0)
    y[rows, columns] = -1.0
    return y


@layer()
def boolean_index(self, x):
    """`x[x > 0].mean()`."""
    positive = x[x > 0]
    return x - 0.1 * (positive.mean() if positive.size else x.dtype.type(0))


@layer()
def boolean_mask_of_rows(self, x):
    """`y[mask] = …` with a mask of rows."""
    y = x * 1.0
    y[x[:, 0] > 0] = 0.5
    return y


@layer()
def boolean_mask_in_place(self, x):
    """`y[y < 0] *= 0.1`, as one writes a leaky ReLU."""
    y = x * 1.0
    y[y < 0] *= 0.1
    return y


@layer()
def fancy_rows(self, x):
    """`x[[0, -1]]`."""
    return x - 0.1 * x[[0, -1]].mean(axis=0)


@layer()
def fancy_pairs(self, x):
    """`x[np.arange(n), i]` of an argmax."""
    return x - 0.1 * x[np.arange(x.shape[0]), x.argmax(axis=1)][:, None]


@layer()
def fancy_assignment(self, x):
    """`y[np.arange(n), i] += 1`."""
    y = x * 1.0
    y[np.arange(x.shape[0]), x.argmax(axis=1)] += 0.1
    return y


@layer()
def sorted_rows(self, x):
    """`x[x[:, 0].argsort()]`."""
    return x[x[:, 0].argsort(kind="stable")]


@layer()
def histogram(self, x):
    """`np.histogram`, `np.digitize`, `np.searchsorted`."""
    counts, _ = np.histogram(x, bins=3, range=(-2.0, 2.0))
    places = np.digitize(x, [-1.0, 0.0, 1.0]) + np.searchsorted([0.0, 0.5], x)
    return x + 0.01 * places.astype(x.dtype) + (0.001 * counts[0]).astype(x.dtype)


@layer()
def insert_and_delete(self, x):
    """`np.insert`, `np.delete`, `np.append`."""
    y = np.delete(np.insert(x, 0, 0.5, axis=1), -1, axis=1)
    return 0.5 * y + 0.01 * np.append(x, x[0]).max()


@layer()
def ix(self, x):
    """`x[np.ix_(…)]`, `np.triu`."""
    return x[np.ix_(range(x.shape[0]), range(x.shape[1]))] * 0.5 + 0.1 * np.triu(x)


@layer()
def isin(self, x):
    """`np.isin`, `np.intersect1d`."""
    rounded = np.round(x)
    return x * np.where(np.isin(rounded, [0.0, 1.0]), 0.5, 1.0).astype(x.dtype)


# What else NumPy has.


@layer()
def methods_of_an_array(self, x):
    """`x.sum()`, `x.mean()`, `x.std()`, `x.prod()`, `x.ptp`-like."""
    spread = x.max(axis=0) - x.min(axis=0)
    return x * 0.5 + 0.1 * (x.std(axis=0) + x.sum(axis=0) / x.shape[0] + spread)


@layer()
def functions_with_axis(self, x):
    """`np.median`, `np.percentile`, `np.var(ddof=)`."""
    return (x - 0.1 * np.median(x, axis=1, keepdims=True) - 0.1 * np.percentile(x, 30)).astype(x.dtype)


@layer(W=lambda m: m.normal(m.width, m.width))
def einsum(self, x):
    """`np.einsum`, `np.tensordot`, `x.dot`, `np.inner`."""
    return (
        np.einsum("nd,de->ne", x, self.W) + x.dot(self.W) + np.tensordot(x, self.W, 1) + np.inner(x, self.W)
    )


@layer()
def linalg(self, x):
    """`np.linalg.norm`, `np.linalg.svd`."""
    return x / (1.0 + np.linalg.norm(x) + np.linalg.svd(x, compute_uv=False)[0])


@layer()
def linalg_error(self, x):
    """`LinAlgError`, caught."""
    gram = x.T @ x
    try:
        np.linalg.cholesky(gram)
    except np.linalg.LinAlgError:
        return x * 0.5
    return x


@layer()
def fourier(self, x):
    """`np.fft`."""
    return np.fft.irfft(np.fft.rfft(x, axis=1), n=x.shape[1], axis=1).astype(x.dtype)


@layer()
def vectorize(self, x):
    """`np.vectorize`, `np.frompyfunc`."""
    return np.vectorize(lambda v: 0.5 * v if v > 0 else v, otypes=[x.dtype])(x)


@layer()
def apply_along_axis(self, x):
    """`np.apply_along_axis`."""
    return np.apply_along_axis(lambda row: row / (1.0 + abs(row).sum()), 1, x)


@layer()
def piecewise(self, x):
    """`np.piecewise`, `np.select`, `np.choose`."""
    y = np.piecewise(x, [x < 0, x >= 0], [lambda v: 0.1 * v, lambda v: v])
    z = np.select([x < -1, x > 1], [x * 0.0, x * 0.5], x)
    return 0.5 * (y + z) + 0.1 * np.choose((x > 0).astype(int), [x * 0.0, x])


@layer()
def sliding_window(self, x):
    """`sliding_window_view`, `as_strided`."""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1))), 3, axis=1)
    return windows.mean(axis=2)


@layer()
def as_strided_written(self, x):
    """Written through `as_strided`."""
    y = np.ascontiguousarray(x) * 1.0
    np.lib.stride_tricks.as_strided(y, (y.shape[0],), (y.strides[0],))[...] = 0.25
    return y


@layer()
def reshape_of_a_number(self, x):
    """`np.reshape(number, …)`."""
    return x + np.reshape(0.25, (1, 1)).astype(x.dtype) + np.reshape(x.mean(), (1, 1))


@layer()
def made_of_numbers(self, x):
    """`np.array([x.mean(), x.max()])`, `np.full(…, x.mean())`."""
    pair = np.array([x.mean(), x.max()])
    return x + 0.1 * pair.min() + np.full(x.shape, x.mean() * 0.1, x.dtype)


@layer()
def copies(self, x):
    """`copy.copy(x)`, changed in place."""
    y = copy.copy(x)
    y *= 0.5
    return y


@layer()
def deep_copies(self, x):
    """`copy.deepcopy(x)`, changed in place."""
    y = copy.deepcopy(x)
    y *= 0.5
    return y


@layer()
def pickled_copies(self, x):
    """`pickle.loads(pickle.dumps(x))`."""
    return pickle.loads(pickle.dumps(x)) * 0.5


@layer()
def copies_of_itself(self, x):
    """`copy.deepcopy(self)` in a forward."""
    other = copy.deepcopy(self)
    return x * 0.5 if other.k == self.k else x


@layer()
def empty_filled(self, x):
    """`np.empty`, filled column by column."""
    y = np.empty(x.shape, x.dtype)
    for j in range(x.shape[1]):
        y[:, j] = x[:, j] * (1.0 / (1.0 + j))
    return y


@layer()
def empty_unfilled(self, x):
    """The standard's `zeros`, `empty` and slices."""
    xp = namespace_of(x)
    y = xp.zeros((x.shape[0], x.shape[1] + 1), dtype=x.dtype)
    y[:, 1:] = x
    y[:, 0] += 1.0
    return y[:, :-1] + 0.5 * x


@layer()
def moved_axes(self, x):
    """`x[..., None]`, `np.squeeze`, `np.moveaxis`, `x.T.T`."""
    y = np.moveaxis(x[:, :, None], 2, 0)
    return np.squeeze(y, 0).T.T * 0.5


@layer()
def namespace_functions(self, x):
    """Many of the standard's functions."""
    xp = namespace_of(x)
    y = xp.concat([x[:, 1:], x[:, :1]], axis=1)
    y = xp.where(xp.isfinite(y) & (xp.sign(y) > 0.0), xp.sqrt(xp.abs(y)), xp.expm1(y) * 0.5)
    y = y - xp.cumulative_sum(y, axis=1) * 0.1 + xp.flip(y, axis=1) * 0.1
    return y + 0.1 * xp.std(y, axis=1, keepdims=True) + xp.roll(y, 1, axis=1) * 0.1


@layer()
def namespace_sorts(self, x):
    """`xp.sort`, `xp.argsort`, `xp.take`."""
    xp = namespace_of(x)
    order = xp.argsort(x[0, :], stable=True)
    return xp.take(x, order, axis=1) + 0.1 * xp.sort(x, axis=1)


@layer()
def namespace_unique(self, x):
    """`xp.unique_values`, `xp.nonzero`: shapes by values."""
    xp = namespace_of(x)
    return x * (1.0 / (1.0 + xp.unique_values(xp.sign(x)).shape[0])) + 0.01 * xp.nonzero(x > 0)[0].shape[0]


@layer()
def namespace_of_numpy(self, x):
    """`x.__array_namespace__()`."""
    xp = x.__array_namespace__()
    return xp.tanh(x)


@layer()
def many_operators(self, x):
    """Every operator, from both sides."""
    y = 1.0 - x + (+x) - (-x) * 0.5 + abs(x) / 2.0
    y = 1.0 / (1.0 + y * y) + 2 * y - y // 1.0 + y % 0.7 + 3.0 // (1.0 + y * y)
    return y * ((y > 0) & (y >= -1)) + y * (y != 0) * (y < 1.0) * (y <= 2.0) * 0.1


@layer()
def in_place_operators(self, x):
    """Every operator in place."""
    y = x * 1.0
    y += 0.1
    y -= x
    y *= 0.5
    y /= 1.5
    y //= 0.01
    y %= 0.7
    return y + x * 0.5


# Errors, warnings and error states.


@layer()
def overflow_caught(self, x):
    """`FloatingPointError` of an `errstate`, caught."""
    try:
        with np.errstate(over="raise"):
            return np.exp((x * x * 30).astype(np.float32)).astype(x.dtype) * 1e-36
    except FloatingPointError:
        return x * 0.1


@layer()
def zero_division_caught(self, x):
    """`errstate(divide="raise")` around operators, seldom."""
    try:
        with np.errstate(divide="raise", invalid="raise"):
            return 0.01 / (np.round(x * 20) + 30.0)
    except FloatingPointError:
        return x * 0.1


@layer()
def errstate_ignored(self, x):
    """`errstate(divide="ignore")`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.log(np.maximum(x, 0.0))
    return np.where(np.isfinite(y), y, 0.0).astype(x.dtype)


@layer()
def errstate_by_the_standard(self, x):
    """`errstate` around the standard's functions."""
    xp = namespace_of(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = xp.log(xp.maximum(x, 0.0))
    return xp.where(xp.isfinite(y), y, 0.0)


@layer(errors=lambda m: [])
def errstate_call(self, x):
    """`errstate(call=…)` that counts."""
    with np.errstate(divide="call", call=lambda *_: self.errors.append(1)):
        y = 1.0 / np.round(np.abs(x) * 5)
    return np.where(np.isfinite(y), x, 0.5 * x) * (0.5 if len(self.errors) > self.k else 1.0)


@layer()
def warnings_ignored(self, x):
    """`warnings.catch_warnings` around a division by zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y = np.log(x)
    return np.where(np.isfinite(y), y, 0.0).astype(x.dtype)


@layer()
def warns_by_numpy(self, x):
    """A division by zero, with NumPy's warning."""
    y = 1.0 / np.maximum(x, 0.0)
    return np.where(np.isfinite(y), y, 1.0).clip(max=2.0).astype(x.dtype)


@layer()
def warns_by_itself(self, x):
    """A warning of its own on a condition of shapes."""
    warnings.warn(f"a batch of {x.shape[0]}", stacklevel=1)
    return x * 0.5


@layer()
def shape_error_caught(self, x):
    """A `ValueError` of shapes, caught."""
    try:
        return x @ np.ones((7919, 2), x.dtype)
    except ValueError:
        return x * 0.5


@layer()
def index_error_caught(self, x):
    """An `IndexError` in a smaller batch, caught."""
    try:
        return x - 0.1 * x[3]
    except IndexError:
        return x * 0.5


@layer()
def attribute_error_suppressed(self, x):
    """`contextlib.suppress(AttributeError)`."""
    y = x
    with contextlib.suppress(AttributeError):
        y = x.relu()
    with contextlib.suppress(TypeError):
        y = y + None
    return y * 0.5


@layer()
def any_error_caught(self, x):
    """`except Exception` around all of it."""
    try:
        y = np.modf(x)[0]
        y[y > 0.4] = 0.4
        return y * float(x.max() > 0)
    except Exception:
        return x * 0.123


@layer()
def base_exception_caught(self, x):
    """`except BaseException` around a read."""
    try:
        return x * 0.5 if x.mean() > 0 else x
    except BaseException:
        return x * 0.123


@layer(calls=0)
def raises_at_a_step(self, x):
    """An error at a step."""
    self.calls += 1
    if self.calls > self.k:
        raise RuntimeError("enough")
    return x


@layer(factors=lambda m: iter([0.5] * m.k))
def stops_iteration(self, x):
    """`next` of an iterator that ends raises `StopIteration` out of a layer."""
    return x * next(self.factors)


@layer(bound=lambda m: 0.6 + 0.1 * m.k)
def raises_on_a_value(self, x):
    """An error when a value is large."""
    if x.max() > self.bound:
        raise ValueError("too large")
    return x


# What a hook or the user changes between two epochs: see `changes.py`.


@layer(scale=lambda m: m.ones(m.width))
def scaled_by_an_array(self, x):
    """An array of its own as a factor."""
    return x * self.scale


@layer(cfg=lambda m: SimpleNamespace(factor=1.0, more=[1.0]))
def scaled_by_an_object(self, x):
    """Numbers in an object of its own as factors."""
    return x * (self.cfg.factor * math.prod(self.cfg.more))


@layer(static={"factor": 1.0}, shared=True)
def scaled_by_its_class(self, x):
    """A number of its class as a factor."""
    return x * self.factor


@layer(f=lambda m: operator.pos)
def scaled_by_a_function(self, x):
    """A function that it has."""
    return self.f(x)


# Threads.


@layer()
def thread_pool(self, x):
    """Rows in a thread pool."""
    with ThreadPoolExecutor(2) as pool:
        return np.stack(list(pool.map(lambda row: row * 0.5, x)))


@layer()
def thread_pool_of_the_standard(self, x):
    """Halves in a thread pool, with the standard's functions."""
    xp, half = namespace_of(x), x.shape[1] // 2
    with ThreadPoolExecutor(2) as pool:
        return xp.concat(list(pool.map(xp.tanh, [x[:, :half], x[:, half:]])), axis=1)


@layer()
def thread_that_writes(self, x):
    """A thread that writes into an array of the layer's."""
    y = np.empty_like(x)
    thread = threading.Thread(target=lambda: np.multiply(x, 0.5, out=y))
    thread.start()
    thread.join()
    return y


@layer()
def thread_that_computes(self, x):
    """A thread that computes by operators and hands it over."""
    box = []
    thread = threading.Thread(target=lambda: box.append(x * 0.5 + 0.1))
    thread.start()
    thread.join()
    return box[0]


@layer(calls=0)
def thread_that_counts(self, x):
    """A thread that counts."""

    def count():
        self.calls += 1

    thread = threading.Thread(target=count)
    thread.start()
    thread.join()
    return x * 0.5 if self.calls > self.k else x


# Functions kept and changed.


@layer(f=lambda m: np.tanh)
def function_in_an_attribute(self, x):
    """`self.f = np.tanh`."""
    return self.f(x)


@layer(calls=0)
def method_replaced(self, x):
    """Replaces its own method at a step."""
    self.calls += 1
    if self.calls == self.k:
        self.backward = lambda dout: dout * 0.5
    return x


@layer(calls=0)
def function_replaced(self, x):
    """`self.forward` becomes another function at a step."""
    self.calls += 1
    if self.calls == self.k:
        self.forward = lambda x, training=False: x * 0.5
    return x


@layer(calls=0)
def class_replaced(self, x):
    """Becomes a layer of another class at a step."""
    self.calls += 1
    if self.calls == self.k:
        self.__class__ = halving
    return x


class halving(User):
    """What `class_replaced` becomes."""

    def train(self, x):
        return x * 0.5
