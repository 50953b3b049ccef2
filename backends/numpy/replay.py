"""A recorded function on NumPy: calls into memory of its own, without the Python between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..array import Array, HostArray
from ..base import Backend
from ..errors import CaptureError
from ..inplace import InPlaceDict
from ..traced import TracedArray
from .tape import NumpyTape


class NumpyReplay:
    """`function(*state, *inputs)`, recorded once; a call repeats its operations with other inputs."""

    def __init__(
        self,
        backend: Backend,
        function: Callable[..., tuple[Array, ...]],
        state: Sequence[Mapping[str, Array]],
        inputs: Sequence[Any],
    ) -> None:
        tape = NumpyTape(backend, inputs)
        traced: Any = [{key: TracedArray(tape, x) for key, x in kind.items()} for kind in state]
        try:
            results = function(*map(InPlaceDict, traced), *(TracedArray(tape, x) for x in tape.inputs))
            self._outputs = [_output(tape, result) for result in results]
        finally:
            tape.close()
        if tape.error is not None:
            raise CaptureError(str(tape.error)) from tape.error
        self.inputs, self.recorded, self._program = tape.inputs, tape.calls, tape.program
        self.results: tuple[Array, ...] | None = tuple(output.copy() for output in self._outputs)
        """The results of the recorded run."""

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """The function's results for these inputs, in new arrays; the state changes in place."""
        for place, x in zip(self.inputs, inputs, strict=True):
            place[...] = x
        for call in self._program:
            call()
        return tuple([output.copy() for output in self._outputs])


def _output(tape: NumpyTape, result: Any) -> HostArray:
    """The array that holds a result after each replay."""
    return result.array if isinstance(result, TracedArray) else np.asarray(result)
