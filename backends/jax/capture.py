"""A recorded function compiled by XLA: one call for all its steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

from ..array import Array
from . import JaxArray

Arrays = Mapping[str, Array]


class JaxReplay:
    """`function(*state, *inputs)` as one compiled program of all arrays of the state and the inputs.

    A replay reads the arrays in the state's mappings, and puts new ones there. None of them is donated to the
    program, since others may hold them: they are copied once a replay.
    """

    results: tuple[Array, ...] | None = None

    def __init__(
        self,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Arrays],
        inputs: Sequence[JaxArray],
        jax: Any,
    ) -> None:
        def program(state: list[dict[str, JaxArray]], inputs: list[JaxArray]) -> Any:
            own = [dict(arrays) for arrays in state]
            results = function(*own, *inputs)
            return [_changed(before, after) for before, after in zip(state, own, strict=True)], results

        self._state: Any = state
        self._keys = [tuple(arrays) for arrays in state]
        self._program = jax.jit(program).lower(self._arrays(), list(inputs)).compile()

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """The function's results for these inputs; the mappings of the state have new arrays."""
        changed, results = self._program(self._arrays(), list(inputs))
        for arrays, new in zip(self._state, changed, strict=True):
            arrays.update(new)
        return tuple(results)

    def _arrays(self) -> list[dict[str, JaxArray]]:
        """The state's arrays, those of the keys that were there at the recording."""
        return [
            {key: arrays[key] for key in keys} for arrays, keys in zip(self._state, self._keys, strict=True)
        ]


def scan(
    step: Callable[[Any], tuple[Array, ...]],
    state: Sequence[MutableMapping[str, Array]],
    count: int,
    jax: Any,
) -> tuple[Array, ...]:
    """`Backend.scan` while a function is traced: a loop of the program."""

    def put(carry: list[dict[str, JaxArray]]) -> None:
        for arrays, its in zip(state, carry, strict=True):
            arrays.update(its)

    def body(carry: list[dict[str, JaxArray]], i: JaxArray) -> Any:
        put(carry)
        results = step(i)
        return _copied(state), results

    if count == 1:
        return tuple(jax.numpy.reshape(value, (1,)) for value in step(0))
    first = _copied(state)
    made, _ = jax.eval_shape(body, first, 0)
    put(first)
    for arrays, its in zip(first, made, strict=True):
        for key in its.keys() - arrays.keys():  # gradients, which no step reads before it sets them
            arrays[key] = jax.numpy.zeros(its[key].shape, its[key].dtype)
    carry, results = jax.lax.scan(body, first, jax.numpy.arange(count, dtype="int32"))
    put(carry)
    return tuple(results)


def _copied(state: Sequence[Arrays]) -> list[dict[str, Array]]:
    return [dict(arrays) for arrays in state]


def _changed(before: dict[str, JaxArray], after: dict[str, JaxArray]) -> dict[str, JaxArray]:
    return {key: array for key, array in after.items() if array is not before.get(key)}
