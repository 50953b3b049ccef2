"""The order of the samples: which ones each step takes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .arguments import Sampling


class SampleOrder:
    """Draws the order of the samples for every epoch, on the host.

    Parameters
    ----------
    samples, batch_size : the number of samples in all, and per step
    per_epoch, total : the number of steps per epoch, and in all
    sampling : `"without-replacement"` or `"with-replacement"`
    rng : the generator to draw from
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        per_epoch: int,
        total: int,
        sampling: Sampling,
        rng: np.random.Generator,
    ) -> None:
        self.samples, self.batch_size, self.sampling = samples, batch_size, sampling
        self.per_epoch, self.total = per_epoch, total
        self._rng = rng
        self._before_last_draw = self._state
        self._ahead: _Draw | None = None

    @property
    def _state(self) -> Mapping[str, Any]:
        return self._rng.bit_generator.state

    def draw(self) -> np.ndarray:
        """The indices of an epoch's samples."""
        self._before_last_draw, ahead, self._ahead = self._state, self._ahead, None
        if ahead is None or _plain(ahead.before) != _plain(self._before_last_draw):
            return self._drawn_by(self._rng)
        self._rng.bit_generator.state = ahead.after
        return ahead.indices

    def draw_ahead(self) -> None:
        """Draw what `draw` will return, while the device computes: from a copy of the generator.

        A subclass may draw in its own way, which a copy of it, a plain generator, would not.
        """
        if type(self._rng) is not np.random.Generator:
            return
        try:
            generator = copy.deepcopy(self._rng)
        except Exception:  # a generator of somebody's own may refuse in any way; `draw` does without
            return
        before, indices = self._state, self._drawn_by(generator)
        self._ahead = _Draw(before, indices, generator.bit_generator.state)

    def _drawn_by(self, generator: np.random.Generator) -> np.ndarray:
        if self.sampling == "without-replacement":
            return generator.permutation(self.samples)
        return generator.integers(0, self.samples, self.per_epoch * self.batch_size)

    def config(self) -> dict[str, Any]:
        """The settings, apart from the generator, that determine the order."""
        return {"samples": self.samples, "batch_size": self.batch_size, "sampling": self.sampling}

    def generator(self, *, redraw: bool) -> Any:
        """The generator's state as JSON values; with `redraw`, its state before the last draw."""
        return _plain(self._before_last_draw if redraw else self._state)

    def set_generator(self, state: Any) -> None:
        """Set the generator to a state returned by `generator`; NumPy raises for any other."""
        self._rng.bit_generator.state = _arrays(state)


class _Draw(NamedTuple):
    """Indices, and the generator's state before and after they are drawn."""

    before: Mapping[str, Any]
    indices: np.ndarray
    after: Mapping[str, Any]


def _plain(state: Any) -> Any:
    """A generator's state with lists in place of arrays."""
    if isinstance(state, Mapping):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state


def _arrays(state: Any) -> Any:
    """The inverse of `_plain`."""
    if isinstance(state, Mapping):
        return {key: _arrays(value) for key, value in state.items()}
    return np.asarray(state, np.uint64) if isinstance(state, list) else state
