"""A network's parameters and gradients: by name, and as one flat vector.

If the array library has views, the parameters of all layers are stored in one vector and every layer
holds views into it, so updating the vector updates every layer; the same holds for gradients. If it has
none, reading the vector concatenates the parameters, and setting it splits it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from functools import partial

from ..backends import Array, Backend, InPlaceDict, dtype_name, namespace_of
from ..layers import Node
from ..layers.checks import check_replaces


class NamedParameters(MutableMapping[str, Array]):
    """`params["W1"]`: the live parameter of the layer that has the first weights.

    `params["W1"] -= step` and `params["W1"] = values` change the layer's own parameter. Another
    floating-point dtype is converted. Raises `ValueError` for values of another shape, or if a finite one
    would overflow, and `TypeError` for another library or kind of numbers.
    """

    def __init__(self, places: dict[str, tuple[Node, str]]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> Array:
        layer, key = _place(self._places, name, "parameter")
        return layer.params[key]

    def __setitem__(self, name: str, value: Array) -> None:
        layer, key = _place(self._places, name, "parameter")
        current = layer.params[key]
        if value is current:
            return
        check_replaces(name, value, current)
        if value.dtype != current.dtype:
            value = namespace_of(current).astype(value, current.dtype)
        layer.params[key] = value

    def __delitem__(self, name: str) -> None:
        raise TypeError("a network's parameters cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def _repr_html_(self) -> str:
        """A table of names and shapes, for a notebook."""
        from .display import parameters_html

        return parameters_html(self)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}={tuple(self[name].shape)}" for name in self)
        return f"NamedParameters({shapes})"


class NamedArrays(MutableMapping[str, Array]):
    """All arrays of one kind (`"params"` or `"grads"`) by name, those that there are, live and unchecked."""

    def __init__(self, kind: str, places: Mapping[str, tuple[Node, str]]) -> None:
        self._kind, self._places = kind, places

    def __getitem__(self, name: str) -> Array:
        layer, key = self._places[name]
        arrays: Mapping[str, Array] = getattr(layer, self._kind)
        return arrays[key]

    def __setitem__(self, name: str, value: Array) -> None:
        layer, key = self._places[name]
        getattr(layer, self._kind)[key] = value

    def __delitem__(self, name: str) -> None:
        raise TypeError("a network's arrays cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return (name for name, (layer, key) in self._places.items() if key in getattr(layer, self._kind))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class FlatVector(MutableMapping[str, Array]):
    """All arrays of one kind (`"params"` or `"grads"`) as a mapping with a single vector, `"flat"`.

    It is a mapping so that an optimizer can treat the vector and the named arrays alike. `vector` is its
    memory, if the library has views; by default new memory.
    """

    def __init__(
        self,
        kind: str,
        places: Mapping[str, tuple[Node, str]],
        backend: Backend,
        vector: Array | None = None,
    ) -> None:
        self._kind, self._places = kind, places
        self._shapes = {name: tuple(layer.params[key].shape) for name, (layer, key) in places.items()}
        self._backend, self._xp = backend, backend.xp
        self._join = backend.compiled(joined_vector)
        self._divide = backend.compiled(partial(divided_vector, tuple(self._shapes.values())))
        self._vector = None
        if backend.has_views and places:
            if vector is None:
                vector = self._concatenate("params")
                vector = vector if kind == "params" else self._xp.zeros_like(vector)
            self._vector = vector
            self._share(self._vector)
        elif backend.replays_mappings and kind == "params":
            for layer in self._layers():
                layer.params = InPlaceDict(layer.params)  # which keeps their names and forms

    def __getitem__(self, key: str) -> Array:
        return self._concatenate(self._kind) if self._vector is None else self._vector

    def __setitem__(self, key: str, value: Array) -> None:
        if self._vector is None:
            for name, part in self.split(value).items():
                layer, own = self._places[name]
                getattr(layer, self._kind)[own] = part
        elif value is not self._vector:
            self._vector[...] = value

    def __delitem__(self, key: str) -> None:
        raise TypeError("a network's flat vector cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(("flat",) if self._is_there else ())

    def __len__(self) -> int:
        return int(self._is_there)

    @property
    def _is_there(self) -> bool:
        """Whether the vector exists: without views, gradients appear with the first backward."""
        places = self._places.values()
        return self._vector is not None or all(key in getattr(layer, self._kind) for layer, key in places)

    @contextmanager
    def swapped(self, other: MutableMapping[str, Array]) -> Iterator[None]:
        """While active, the layers hold parts of the vector in `other`, which has their values afterwards."""
        if other is self:
            yield
            return
        if self._vector is None:
            with self._apart(other):
                yield
            return
        self._share(other["flat"])
        try:
            yield
        finally:
            self._share(self._vector)

    def named(self) -> NamedArrays:
        """The arrays by name, live."""
        return NamedArrays(self._kind, self._places)

    @contextmanager
    def _apart(self, other: MutableMapping[str, Array]) -> Iterator[None]:
        """`swapped` without views: layers have mappings of their own, and `other` the vector at the end."""
        own = [(layer, getattr(layer, self._kind)) for layer in self._layers()]
        for layer, arrays in own:
            setattr(layer, self._kind, type(arrays)(arrays))
        try:
            if "flat" in other:
                self["flat"] = other["flat"]
            yield
            if self._is_there:
                other["flat"] = self["flat"]
        finally:
            for layer, arrays in own:
                setattr(layer, self._kind, arrays)

    def _layers(self) -> list[Node]:
        return list({id(layer): layer for layer, _ in self._places.values()}.values())

    def split(self, vector: Array) -> dict[str, Array]:
        """The named arrays in `vector`, as views if the library has them."""
        return dict(zip(self._shapes, self._divide(vector), strict=True))

    def joined(self, parts: Mapping[str, Array]) -> Array:
        """The arrays of `split` as one vector."""
        vector: Array = self._join([parts[name] for name in self._shapes])
        return vector

    def _concatenate(self, kind: str) -> Array:
        parts = [getattr(layer, kind)[key] for layer, key in self._places.values()]
        return self._join(parts) if parts else self._backend.asarray([], dtype="float32")

    def _share(self, vector: Array) -> None:
        """Turn every layer's arrays into views of `vector`."""
        views: dict[int, tuple[Node, dict[str, Array]]] = {}
        for name, part in self.split(vector).items():
            layer, key = self._places[name]
            views.setdefault(id(layer), (layer, {}))[1][key] = part
        for layer, own in views.values():
            setattr(layer, self._kind, InPlaceDict(own))


def joined_vector(parts: Sequence[Array]) -> Array:
    """The arrays as one vector."""
    xp = namespace_of(parts[0])
    return xp.concat([xp.reshape(part, (-1,)) for part in parts])


def divided_vector(shapes: Sequence[tuple[int, ...]], vector: Array) -> list[Array]:
    """The arrays of these shapes in a vector, as views if the library has them."""
    parts, start, xp = [], 0, namespace_of(vector)
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(xp.reshape(vector[start:stop], shape))
        start = stop
    return parts


class LayerState(MutableMapping[str, Array]):
    """The layers' state by name: `"running_mean1"`, …"""

    def __init__(self, places: dict[str, tuple[Node, str]]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> Array:
        layer, key = _place(self._places, name, "state")
        return layer.state[key]

    def __setitem__(self, name: str, value: Array) -> None:
        layer, key = _place(self._places, name, "state")
        check_replaces(name, value, layer.state[key])
        layer.state[key] = value

    def __delitem__(self, name: str) -> None:
        raise TypeError("the state of a network's layers cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @contextmanager
    def swapped(self, other: MutableMapping[str, Array]) -> Iterator[None]:
        """While active, the layers use the arrays in `other` as their state, which are changed."""
        if other is self:
            yield
            return
        own = [(layer, layer.state) for layer in self._layers()]
        swapped: dict[int, dict[str, Array]] = {id(layer): {} for layer, _ in own}
        for name, (layer, key) in self._places.items():
            swapped[id(layer)][key] = other[name]
        for layer, _ in own:
            layer.state = type(layer.state)(swapped[id(layer)])  # in place as before, or not
        try:
            yield
            other.update(self)
        finally:
            for layer, state in own:
                layer.state = state

    def _layers(self) -> list[Node]:
        return list({id(layer): layer for layer, _ in self._places.values()}.values())


def _place(places: Mapping[str, tuple[Node, str]], name: str, what: str) -> tuple[Node, str]:
    try:
        return places[name]
    except KeyError:
        raise KeyError(f"no {what} {name!r}: this network has {', '.join(places) or 'none'}") from None


def named_parameters(layers: Mapping[str, Node], kind: str = "params") -> dict[str, tuple[Node, str]]:
    """Map the book's name of every parameter (or state array) to its layer and its key there.

    The number in a name counts the layers with weights "W"; parameters of other layers take the number of
    the weights before them. If that name is taken, or within a block, the layer's name is the prefix.
    """
    places: dict[str, tuple[Node, str]] = {}
    number = 0
    for layer_name, layer in layers.items():
        number += "W" in layer.params
        for key in getattr(layer, kind):
            name = f"{key}{max(number, 1)}"
            places[f"{layer_name}.{key}" if name in places or "." in key else name] = (layer, key)
    return places


def common_dtype(places: Mapping[str, tuple[Node, str]]) -> str | None:
    """The dtype that all parameters share; None if there are none."""
    dtypes = {name: dtype_name(layer.params[key].dtype) for name, (layer, key) in places.items()}
    if len(set(dtypes.values())) > 1:
        listed = ", ".join(f"{name} {dtype}" for name, dtype in dtypes.items())
        raise TypeError(f"a network's parameters must have one dtype, got {listed}")
    return next(iter(dtypes.values()), None)


def layer_of(params: Mapping[str, Array]) -> Node | None:
    """One of the layers that own these parameters; None for a mapping that is not a network's."""
    places = params._places if isinstance(params, NamedParameters | FlatVector) else {}
    return next((layer for layer, _ in places.values()), None)
