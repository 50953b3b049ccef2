"""Fingerprint everything a training step could read or change outside its state.

A `Fingerprinter` walks through the network, its layers and loss, and the optimizer: their attributes, the
contents of these, and the attributes of their classes. Numbers and strings are compared by value, arrays by
their bytes, random generators by their state, and functions and other opaque objects by identity. It cannot
see values held by globals and closures.
"""

from __future__ import annotations

import collections
import copy
import datetime
import decimal
import functools
import inspect
import io
import random
import re
import threading
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Real
from typing import Any, NamedTuple, NoReturn

import numpy as np

from ..backends import Backend, CaptureError, backend_of, digest, is_registered
from ..layers import Node, Residual
from ..layers.book_style.node import BookNode
from ..networks.network import Network
from ..optimizers import SGD, Optimizer
from ..text import indefinite

MAX_VALUES = 20_000
"""The most values in a fingerprint; a step with more is not recorded."""

KEPT = frozenset({"_saved", "_grads"})
"""Attributes of layers that a step sets before it reads them."""

CARRIED = KEPT | {"_params", "_state"}
"""The same for a network's own layers, whose parameters and state belong to the network, and for those of a
block, which lends them its own before it reads them."""

OF_ADAPTERS = frozenset({"inner", "lent"})
"""Attributes of a layer in the book's style: the object within, visited by itself, and what it is lent."""

OF_OPTIMIZERS = frozenset({"_slots", "steps", "_owner"})
"""Attributes of an optimizer that are passed to the step."""

OF_NETWORKS = frozenset({"_params", "_state", "flat_params", "flat_grads", "backend", "inputs"})
"""Attributes of a network that its layers hold, or that no step reads."""

ATOMS = {int, float, complex, bool, str, bytes, type(None), type(...), range, slice}
FUNCTIONS = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType,
    types.GetSetDescriptorType, types.MemberDescriptorType, types.ModuleType, staticmethod, classmethod,
    property, functools.cached_property, np.ufunc, np.dtype, Backend,
)  # fmt: skip


OPAQUE = (
    type(threading.Lock()), type(threading.RLock()), re.Pattern, decimal.Decimal, datetime.date,
    datetime.time, datetime.timedelta, datetime.tzinfo, io.FileIO, io.BufferedIOBase, io.TextIOWrapper,
    type(NotImplemented),
)  # fmt: skip
"""Objects without attributes, which hold nothing a step could count in or cannot be inspected."""


class Place(NamedTuple):
    """The attribute of a layer, loss, optimizer or network that a value lies in."""

    part: Any
    name: str
    path: str


NOT_COPIED = CARRIED | OF_OPTIMIZERS | OF_NETWORKS | {"_layers", "layers", "last_layer"}


class Fingerprint:
    """The values at one time: one to compare for every path, such as `ReLU1.slope`."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.places: dict[str, Place | None] = {}
        self.parts: list[Any] = []

    def changed(self, other: Fingerprint, but: frozenset[str] = frozenset()) -> dict[str, Place | None]:
        """The paths whose values differ, each with its attribute; None for an attribute of a class."""
        mine, its = self.values, other.values
        if mine == its:
            return {}
        paths = [
            path for path in {**mine, **its} if path not in mine or path not in its or mine[path] != its[path]
        ]
        places = {path: other.places.get(path) or self.places.get(path) for path in paths}
        return {path: place for path, place in places.items() if place is None or place.path not in but}


class Fingerprinter:
    """Takes fingerprints of a network and an optimizer."""

    def __init__(self, network: Network, optimizer: Optimizer) -> None:
        self.network, self.optimizer = network, optimizer
        self._classes: dict[type, _Class] = {}

    def take(self) -> Fingerprint:
        """Take a fingerprint. Raises `CaptureError` if a value cannot be inspected."""
        network, optimizer = self.network, self.optimizer
        walk = _Walk(self._classes, network)
        for name, layer in network.layers.items():
            walk.part(name, layer, CARRIED)
        walk.part(network.last_layer.name, network.last_layer, KEPT)
        walk.part(type(optimizer).__name__, optimizer, OF_OPTIMIZERS | _read_by_scalars(optimizer))
        walk.part(type(network).__name__, network, OF_NETWORKS)
        return walk.fingerprint


def _read_by_scalars(optimizer: Optimizer) -> frozenset[str]:
    """The optimizer's attributes that reach a step only in its scalars: a new rate needs no new recording."""
    kind, base, own = type(optimizer), Optimizer, vars(optimizer)
    is_plain = kind.clipped is base.clipped and all(
        method in (getattr(base, name), getattr(SGD, name))
        for name, method in (("apply", kind.apply), ("loss_scale", kind.loss_scale))
    )
    is_static = isinstance(inspect.getattr_static(kind, "rule"), staticmethod)
    if not (is_plain and is_static) or own.keys() & {"apply", "clipped", "loss_scale", "rule"}:
        return frozenset()
    return frozenset(own) - {"max_norm", "slot_names"}


def global_draws() -> Any:
    """The states of Python's and NumPy's global random generators."""
    return random.getstate(), _legacy_state(np.random.get_state(legacy=False))


def _legacy_state(state: Any) -> Any:
    """The state of one of NumPy's legacy generators in a form that can be compared."""
    if isinstance(state, dict):
        return {key: _legacy_state(value) for key, value in state.items()}
    return state.tobytes() if isinstance(state, np.ndarray) else state


@contextmanager
def untouched(fingerprint: Fingerprint, changed: Mapping[str, Place | None]) -> Iterator[dict[int, Any]]:
    """While active, attributes that a step has changed cannot be read before they are set.

    Yields the copies that a recording reads, which must live as long as the recording. Restores all
    attributes afterwards. Raises `CaptureError` if a changed one was read.
    """
    before = [(part, dict(vars(part))) for part in fingerprint.parts]
    stale = {place.path: Stale(place.path) for place in changed.values() if place is not None}
    for place in changed.values():
        if place is not None:
            vars(place.part)[place.name] = stale[place.path]
    try:
        yield _lend_copies(fingerprint)
        for place in changed.values():
            if place is not None and vars(place.part).get(place.name) is stale[place.path]:
                stale[place.path]._refuse()
        _check_set_alike(before, {(id(p.part), p.name): p.path for p in changed.values() if p is not None})
    finally:
        for part, attributes in before:
            vars(part).clear()
            vars(part).update(attributes)
        read = next((value for value in stale.values() if vars(value)["_read"]), None)
        if read is not None:
            read._refuse()


def _check_set_alike(before: list[tuple[Any, dict[str, Any]]], changed: dict[tuple[int, str], str]) -> None:
    """Raise unless the recorded step has set the same numbers and strings as the called one."""
    for part, attributes in before:
        for name, called in attributes.items():
            path = changed.get((id(part), name)) or (f"{part.name}.saved" if name == "_saved" else None)
            if path and not _has_same_values(called, vars(part).get(name)):
                raise CaptureError(f"{path} changes from step to step and is not in the state")


def _has_same_values(called: Any, recorded: Any) -> bool:
    """Whether two values have the same numbers and strings wherever both have one."""
    if type(called) in ATOMS and type(recorded) in ATOMS:
        return type(called) is type(recorded) and repr(called) == repr(recorded)
    if isinstance(called, list | tuple) and isinstance(recorded, list | tuple):
        return len(called) == len(recorded) and all(map(_has_same_values, called, recorded))
    if isinstance(called, dict) and isinstance(recorded, dict):
        both = called.keys() & recorded.keys()
        return len(called) == len(recorded) and all(_has_same_values(called[k], recorded[k]) for k in both)
    return True


def _lend_copies(fingerprint: Fingerprint) -> dict[int, Any]:
    """Replace everything a step could write into by copies, since a recording may stop halfway."""
    memo: dict[int, Any] = {id(part): part for part in fingerprint.parts}
    for part in fingerprint.parts:
        own = vars(part)
        for name, value in list(own.items()):
            if name == "_grads" and type(value) is dict:
                own[name] = {}
            elif name not in NOT_COPIED and not isinstance(value, UNCOPIED):
                own[name] = _copied(value, memo, f"{type(part).__name__}.{name}")
    return memo


def _copied(value: Any, memo: dict[int, Any], path: str) -> Any:
    try:
        return copy.deepcopy(value, memo)
    except Exception as error:  # of any kind: copying runs user code
        raise CaptureError(f"{path} cannot be copied: {error}") from None


class Stale:
    """Stands in for an attribute that a step changes: a recorded step must set it before reading it."""

    def __init__(self, path: str) -> None:
        vars(self).update(_path=path, _read=False)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        vars(self)["_read"] = True
        raise CaptureError(f"{vars(self)['_path']} changes from step to step and is not in the state")

    def __getattr__(self, name: str) -> Any:
        self._refuse()

    __setattr__ = __bool__ = __len__ = __iter__ = __next__ = __call__ = __array__ = _refuse
    __getitem__ = __setitem__ = __contains__ = __int__ = __float__ = __index__ = __eq__ = __ne__ = _refuse
    __add__ = __radd__ = __iadd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = __rdivmod__ = _refuse
    __pow__ = __rpow__ = __matmul__ = __rmatmul__ = __lshift__ = __rlshift__ = __rshift__ = _refuse
    __rrshift__ = __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = _refuse
    __neg__ = __pos__ = __abs__ = __round__ = __trunc__ = __floor__ = __ceil__ = __complex__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __enter__ = __str__ = __repr__ = __format__ = __bytes__ = _refuse
    __hash__ = __delitem__ = __reversed__ = __dir__ = __reduce_ex__ = _refuse
    __class__ = property(_refuse)
    __array_ufunc__ = __array_function__ = _refuse


OF_ALL_CLASSES = frozenset(
    {"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__", "__slots__",
     "__hash__", "__slotnames__", "__abstractmethods__", "__orig_bases__", "__parameters__",
     "__type_params__", "__firstlineno__", "__static_attributes__", "__annotations_cache__", "__annotate__",
     "__annotate_func__", "__match_args__", "__dataclass_fields__", "__dataclass_params__",
     "__protocol_attrs__", "__non_callable_proto_members__", "_abc_impl", "_is_protocol",
     "_is_runtime_protocol"}
)  # fmt: skip
"""Attributes that Python gives every class."""

UNCOPIED = (Stale, Node, Network, Optimizer, *FUNCTIONS)


def _is_bound(value: Any) -> bool:
    """Whether `value` is a method of a built-in object, such as deque.popleft, which can change it."""
    function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
    if not isinstance(function, types.BuiltinMethodType | types.MethodWrapperType):
        return False
    return not isinstance(function.__self__, types.ModuleType | type | None)


class _Same:
    """Compares equal only to the same object, and keeps it alive so that its id is not reused."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    __hash__ = None  # type: ignore[assignment]  # unhashable objects are compared, too


class _Class:
    """The attributes of a class: functions, compared by identity, and others."""

    def __init__(self, kind: type) -> None:
        self.values = _values(kind)
        self.others = [
            name
            for name, value in vars(kind).items()
            if name not in OF_ALL_CLASSES and (_is_bound(value) or not isinstance(value, FUNCTIONS))
        ]

    def is_of(self, kind: type) -> bool:
        """Whether `kind` still has these attributes."""
        try:
            return _values(kind) == self.values  # `==` of tuples tries identity first
        except ValueError:  # an array was replaced by another
            return False


def _values(kind: type) -> tuple[Any, ...]:
    """The attributes of a class, except the one that `copy` adds."""
    return tuple([value for name, value in vars(kind).items() if name != "__slotnames__"])


class _Walk:
    """One walk, which visits every object once."""

    def __init__(self, classes: dict[type, _Class], network: Network) -> None:
        self.fingerprint, self._backend = Fingerprint(), network.backend
        self._visited: set[int] = set()
        layers = network.layers.values()
        self._given = {id(x) for layer in layers for x in (*layer.params.values(), *layer.state.values())}
        self._classes, self._visited_classes = classes, set[type]()

    def part(self, path: str, part: Any, carried: frozenset[str] = KEPT) -> None:
        """Visit the attributes of a layer, a loss, an optimizer or a network, and those of its classes."""
        if id(part) in self._visited:
            return
        self._visited.add(id(part))
        self.fingerprint.parts.append(part)
        self._note(path, type(part), None)
        if isinstance(part, BookNode):
            carried = carried | OF_ADAPTERS
        if isinstance(part, Residual):
            for name, layer in part.layers.items():
                self.part(f"{path}.{name}", layer, CARRIED)
        for name, value in list(vars(part).items()):
            if name not in carried:
                place = Place(part, name, f"{path}.{name}")
                self._value(place.path, value, place)
        if isinstance(part, BookNode):
            self.part(path, part.inner, frozenset(part.lent))
        for name, value in _slots(part):
            self._value(f"{path}.{name}", value, None)
        self._class(type(part))

    def _note(self, path: str, value: Any, place: Place | None) -> None:
        if len(self.fingerprint.values) > MAX_VALUES:
            where = path if place is None else place.path
            raise CaptureError(f"{where} holds too many values to check whether a step changes it")
        while path in self.fingerprint.values:  # two keys with the same text, or two classes of the same name
            path += "'"
        self.fingerprint.values[path] = value
        self.fingerprint.places[path] = place

    def _class(self, kind: type) -> None:
        for base in kind.__mro__:
            if base in self._visited_classes or base.__module__ in (
                "builtins",
                "abc",
                "typing",
                "collections.abc",
            ):
                continue
            self._visited_classes.add(base)
            if type(base) is not type:
                self._class(type(base))
            known = self._classes.get(base)
            if known is None or not known.is_of(base):
                known = self._classes[base] = _Class(base)
            self._note(f"class {base.__module__}.{base.__qualname__}", _Same(known), None)
            for name in known.others:
                self._value(f"class {base.__name__}: {name}", vars(base)[name], None)

    def _value(self, path: str, value: Any, place: Place | None) -> None:
        if isinstance(value, np.generic) and not isinstance(value, np.object_):
            self._note(path, (type(value), value.dtype.str, value.tobytes()), place)
        elif type(value) in ATOMS:
            self._note(path, (type(value), repr(value)), place)
        elif id(value) in self._given:
            self._note(path, _Same(value), place)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            self._note(path, (value.shape, value.dtype.str, digest.digest(value)), place)
            if type(value) is not np.ndarray:
                self._attributes(path, value, place)
        elif id(value) in self._visited:
            self._note(path, _Same(value), place)
        elif isinstance(value, (Node, Network, Optimizer)):
            self._note(path, _Same(value), place)
            self.part(path, value)
        else:
            self._visited.add(id(value))
            self._structure(path, value, place)

    def _structure(self, path: str, value: Any, place: Place | None) -> None:
        if isinstance(value, Mapping):
            self._note(path, (type(value), [repr(key) for key in value]), place)
            for key, item in list(value.items()):
                self._value(f"{path}[{key!r}]", item, place)
            if isinstance(value, collections.defaultdict):
                self._value(f"{path}.default_factory", value.default_factory, place)
            self._attributes(path, value, place)
        elif isinstance(value, list | tuple | set | frozenset | collections.deque):
            self._note(path, (type(value), len(value)), place)
            for i, item in enumerate(list(value)):
                self._value(f"{path}[{i}]", item, place)
            self._attributes(path, value, place)
        elif isinstance(value, np.ndarray):
            self._value(f"{path}[...]", value.ravel().tolist(), place)
        elif (state := _generator_state(value)) is not None:
            self._note(path, repr(state), place)
            self._attributes(path, value, place)
        elif isinstance(value, io.BytesIO | io.StringIO):
            self._note(path, (type(value), value.getvalue(), value.tell()), place)
            self._attributes(path, value, place)
        elif isinstance(value, BaseException):
            self._note(path, type(value), place)
            self._value(f"{path}.args", value.args, place)
            self._attributes(path, value, place)
        elif isinstance(value, type):
            self._note(path, _Same(value), place)
            self._class(value)
        elif isinstance(value, functools._lru_cache_wrapper):
            self._note(path, (_Same(value), value.cache_info()), place)
        elif _is_bound(value):
            raise CaptureError(f"{path} is a method of an object, which it may change")
        elif isinstance(value, FUNCTIONS):
            self._note(path, _Same(value), place)
        elif is_registered(value):
            home = backend_of(value)  # a replay reads arrays on its own device in every step
            self._note(
                path, _Same(value) if home is self._backend else digest.digest(home.to_numpy(value)), place
            )
        elif isinstance(value, types.MethodType):
            self._note(path, _Same(value.__func__), place)
            self._value(f"{path}.__self__", value.__self__, place)
        elif isinstance(value, functools.partial):
            self._note(path, type(value), place)
            for name in ("func", "args", "keywords"):
                self._value(f"{path}.{name}", getattr(value, name), place)
            self._attributes(path, value, place)
        elif (contents := _buffer(value)) is not None:
            self._note(path, (type(value), contents), place)
        elif hasattr(value, "__next__") and not isinstance(value, OPAQUE):
            raise CaptureError(f"{path} is an iterator, whose position cannot be inspected")
        else:
            self._note(
                path, (_Same(value), type(value), repr(value) if isinstance(value, Real | str) else ""), place
            )
            if not (self._attributes(path, value, place) or isinstance(value, (Real, str, *OPAQUE))):
                raise CaptureError(f"{path} is {indefinite(type(value).__name__)}, which cannot be inspected")
            self._class(type(value))

    def _attributes(self, path: str, value: Any, place: Place | None) -> bool:
        """Visit the attributes of an object; return whether it can have any."""
        for name, item in [*getattr(value, "__dict__", {}).items(), *_slots(value)]:
            self._value(f"{path}.{name}", item, place)
        return hasattr(value, "__dict__") or any("__slots__" in vars(base) for base in type(value).__mro__)


def _slots(value: Any) -> list[tuple[str, Any]]:
    """The attributes listed in `__slots__`."""
    kind: Any = type(value)
    return [(name, getattr(value, name)) for name in _slot_names(kind) if hasattr(value, name)]


@functools.cache
def _slot_names(kind: Any) -> tuple[str, ...]:
    found: list[str] = []
    for base in kind.__mro__:
        slots = vars(base).get("__slots__", ())
        own = f"_{base.__name__.lstrip('_')}"  # the prefix of private names
        for name in (slots,) if isinstance(slots, str) else slots:
            found.append(own + name if name.startswith("__") and not name.endswith("__") else name)
    return tuple(name for name in found if name not in ("__dict__", "__weakref__"))


def _generator_state(value: Any) -> Any:
    """The state of a random generator; None for anything else."""
    if isinstance(value, np.random.Generator):
        return _generator_state(value.bit_generator)
    if isinstance(value, np.random.BitGenerator):
        return value.state, repr(value.seed_seq)  # which counts its spawned children
    if isinstance(value, np.random.SeedSequence):
        return repr(value)
    if isinstance(value, np.random.RandomState):
        return _legacy_state(value.get_state(legacy=False))
    if isinstance(value, random.SystemRandom):
        return "the system's"
    return value.getstate() if isinstance(value, random.Random) else None


def _buffer(value: Any) -> bytes | None:
    """The bytes of an object with the buffer protocol, such as a bytearray; None for others."""
    try:
        return memoryview(value).tobytes()
    except TypeError:
        return None
