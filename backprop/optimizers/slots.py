"""Slots in memory: arrays that keep their place, by the parameters' names or for one flat vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..backends import Array, InPlaceDict, backend_of, copy_of
from ..networks.parameters import FlatVector, NamedParameters, joined_vector
from .checks import check_like


def in_place(slots: Mapping[str, Array], initial: Mapping[str, Array]) -> dict[str, Array]:
    """Return the slots, with `initial` for missing ones, as a mapping that fills its arrays in place.

    Arrays of a plain mapping may belong to somebody else and are copied. Without views, the mapping is
    plain.
    """
    merged = {**initial, **slots}
    backends = [backend_of(slot) for slot in merged.values()]
    if not all(backend.has_views or backend.replays_mappings for backend in backends):
        return merged
    if not isinstance(slots, InPlaceDict):
        merged = {key: copy_of(slot) for key, slot in merged.items()}
    return InPlaceDict(merged)


def is_flat(slots: Mapping[str, Array]) -> bool:
    """Whether these are the slots of a whole network as one vector."""
    return any(map(_is_of_vector, slots))


def check_layout(name: str, slots: Mapping[str, Array], params: Mapping[str, Array]) -> None:
    """Raise for plain parameters after the slots of a whole network."""
    plain = not isinstance(params, NamedParameters | FlatVector)
    if plain and is_flat(slots) and "flat" not in params:
        raise ValueError(
            f"{name}: this optimizer has been used in fit, for a whole network; give network.params, or make "
            "a new one"
        )


def flattened(
    name: str,
    slots: Mapping[str, Array],
    params: FlatVector,
    init: Callable[[Mapping[str, Array]], Mapping[str, Array]],
) -> dict[str, Array]:
    """Return the slots for a network's flat vector, joined from those of its named parameters."""
    flat = {slot: array for slot, array in slots.items() if _is_of_vector(slot)}
    named = {slot: array for slot, array in slots.items() if slot not in flat}
    if not named:
        return flat
    parts = params.split(params["flat"])
    initial = init(parts)
    others = [slot for slot in named if slot not in initial]
    if others:
        raise ValueError(
            f"{name}: this optimizer was used for other parameters, {', '.join(others)}; make a new one for "
            "every network"
        )
    for slot, array in named.items():
        check_like(name, slot, array, initial[slot])
    joined: dict[str, list[Array]] = {}
    for slot, array in {**initial, **named}.items():
        joined.setdefault(f"{slot.partition('.')[0]}.flat", []).append(array)
    return {**{slot: joined_vector(arrays) for slot, arrays in joined.items()}, **flat}


def _is_of_vector(slot: str) -> bool:
    return slot.partition(".")[2] == "flat"
