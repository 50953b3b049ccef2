"""When a step of training is replayed instead of called, and how it stays proven that both are the same.

A step is recorded from one state: it is called, put back, traced, put back and replayed, and all three
have to end alike, bit for bit. What it changes in a layer, the loss or the optimizer besides its state has
to be set before it is read, since a replay sets nothing there. From then on it is on probation: in every
segment, which is an epoch or what lies between two calls of a hook, the last step is replayed and called,
and the segment begins with a look at what a user may have changed. Where there is a difference, the segment
is run again from its start, every step is called from then on, and a `CaptureWarning` names the cause.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from ..backends import Array, Backend, CaptureError, CaptureWarning, Replay
from .fingerprint import Fingerprint, Fingerprinter, global_draws, untouched
from .origin import origin
from .state import TrainState

Results: TypeAlias = tuple[Array, ...]

SHORTEST = 4
"""A segment of fewer steps is called: verifying it takes as long."""


class StepCapture:
    """Calls scan(state, data, rows, scalars), or replays a recording of it.

    Parameters
    ----------
    scan : the function; it changes the arrays of the state and reads those of the data
    state : gives the live state
    fingerprinter : looks at what the function may depend on besides
    """

    def __init__(
        self,
        backend: Backend,
        scan: Callable[[TrainState, Mapping[str, Array], Array, Array], Results],
        state: Callable[[], TrainState],
        data: Mapping[str, Array],
        fingerprinter: Fingerprinter,
    ) -> None:
        self.backend, self.scan, self.state, self.data = backend, scan, state, data
        self.fingerprinter = fingerprinter
        self.why = ""
        """Why steps are called for good; empty while they may be replayed."""
        self.unverified = 0
        """How many replays there have been since a step was last done both ways."""
        self._called: set[tuple[int, ...]] = set()
        self._replays: dict[tuple[int, ...], Replay] = {}
        self._fresh: set[tuple[int, ...]] = set()  # recorded, and not yet verified with other inputs
        self._fingerprint: Fingerprint | None = None
        self._scratch: frozenset[str] = frozenset()
        self._arrays: list[Array] = []
        self._read: list[Any] = []  # what recordings read, kept alive
        self._long_enough = False

    def begin(self, steps: int) -> None:
        """A segment of so many steps begins: drop recordings that no longer fit what is there."""
        self.unverified = 0
        self._long_enough = steps >= SHORTEST
        if self._long_enough:
            self.drop_stale()

    def drop_stale(self) -> bool:
        """Drop the recordings if something that they depend on has changed; whether it has."""
        if self.why or not self._replays:
            return False
        fingerprint, arrays = self._take_fingerprint(), self._live_arrays()
        known = self._fingerprint
        same = fingerprint is not None and known is not None and not known.changed(fingerprint, self._scratch)
        if same and all(mine is its for mine, its in zip(self._arrays, arrays, strict=True)):
            return False
        self._replays.clear()
        return True

    def run(self, rows: Array, scalars: Array) -> Results:
        """The steps of these rows; the first ones are recorded."""
        key = tuple(rows.shape)
        if self.why or not self._long_enough:
            return self.call(rows, scalars)
        replay = self._replays.get(key)
        if replay is None:
            return self._record(key, rows, scalars) if key in self._called else self.call(rows, scalars)
        if key in self._fresh:
            return self._verify_fresh(key, rows, scalars)
        self.unverified += 1
        return replay(rows, scalars)

    def call(self, rows: Array, scalars: Array) -> Results:
        """The steps, called."""
        self._called.add(tuple(rows.shape))
        return self.scan(self.state(), self.data, rows, scalars)

    @property
    def in_doubt(self) -> bool:
        """Whether replays of this segment were of a recording that has then been given up."""
        return bool(self.why) and self.unverified > 0

    def verify(self, rows: Array, scalars: Array) -> Results:
        """The steps both ways from the same state, if they are replayed at all; what the call gives.

        Where there is a difference, the recording is given up.
        """
        key = tuple(rows.shape)
        replay = self._replays.get(key)
        if self.why or not self._replays or not self._long_enough:
            return self.call(rows, scalars)
        before = self.state().copy()
        if replay is None:
            return self._record_to_verify(key, rows, scalars, before)
        replayed = replay(rows, scalars)
        after = self.state().copy()
        self.state().restore(before)
        results = self.call(rows, scalars)
        fingerprint, known = self._take_fingerprint(), self._fingerprint
        changed = known.changed(fingerprint, self._scratch) if fingerprint and known else {}
        if changed:
            self.give_up(f"{next(iter(changed))} changes in the step and is not in the state")
        elif not (self._alike(replayed, results) and self._alike_states(before, after)):
            self.give_up("a replayed step does not give what a called one gives")
        else:
            self.unverified = 0
        return results

    def _record_to_verify(
        self, key: tuple[int, ...], rows: Array, scalars: Array, before: TrainState
    ) -> Results:
        """Record steps of another number, which shows as well whether replays are what calls are."""
        if key not in self._called:
            self.call(rows, scalars)  # so that all it needs is there
            self.state().restore(before)
        results = self._record(key, rows, scalars)
        if not self.why:
            self.unverified = 0
        return results

    def verify_replays(self, rows: Array, scalars: Array) -> None:
        """Verify the replays so far by steps from here, which leave the state as it is."""
        if self.unverified and not self.why:
            before = self.state().copy()
            self.verify(rows, scalars)
            self.state().restore(before)

    def give_up(self, why: str) -> None:
        """Call every step from now on, and say why, once."""
        self.why = why
        self._replays.clear()
        warnings.warn(f"the step is not captured but called each time, which is slower: {why}",
                      CaptureWarning, stacklevel=2)  # fmt: skip

    def __reduce__(self) -> Any:
        raise TypeError("a step's capture cannot be pickled: it belongs to a training that runs")

    def _record(self, key: tuple[int, ...], rows: Array, scalars: Array) -> Results:
        """The steps called, and recorded besides."""
        before, seen, drawn = self.state().copy(), self._take_fingerprint(), global_draws()
        results = self.call(rows, scalars)
        fingerprint = self._take_fingerprint()
        if seen is None or fingerprint is None:
            return results
        if global_draws() != drawn:
            self.give_up("the step draws from a global random generator")
            return results
        after, changed = self.state().copy(), seen.changed(fingerprint)
        outside = next((path for path, place in changed.items() if place is None), None)
        if outside is not None:
            self.give_up(f"{outside} changes in the step and is not in the state")
            return results
        replay, cause = None, ""
        self.state().restore(before)
        try:
            with untouched(fingerprint, changed) as copies, _quiet_threads():
                self._read.append(copies)
                state = (*self.state(), self.data)
                replay = self.backend.record(self._scan_of_mappings, state, (rows, scalars))
            cause = self._difference(replay, rows, scalars, before, after, results)
        except Exception as error:  # whatever it was: the called step decides whether it is an error
            cause = _told(error)
        finally:
            self.state().restore(after)
        if cause:
            self.give_up(cause)
        elif replay is not None:
            self._replays[key], self._fingerprint, self._arrays = replay, fingerprint, self._live_arrays()
            self._scratch = frozenset(place.path for place in changed.values() if place is not None)
            self._fresh.add(key)
        return results

    def _scan_of_mappings(self, *arguments: Any) -> Results:
        """The function as a backend records it: of plain mappings of arrays, then arrays."""
        *state, data, rows, scalars = arguments
        return self.scan(TrainState(*state), data, rows, scalars)

    def _difference(
        self,
        replay: Replay,
        rows: Array,
        scalars: Array,
        before: TrainState,
        after: TrainState,
        results: Results,
    ) -> str:
        """How the traced run, or a replay, differs from the called one; empty where it does not."""
        if replay.results is not None and not (
            self._alike(replay.results, results) and self._alike_states(before, after)
        ):
            return "the step does something else when it is recorded"
        if rows.shape[0] > 1 and self.backend.device != "cpu":
            return ""  # many steps drift apart by more than rounding: the last step of a segment is by itself
        self.state().restore(before)
        if not (self._alike(replay(rows, scalars), results) and self._alike_states(before, after)):
            return "a replayed step does not give what a called one gives"
        return ""

    def _verify_fresh(self, key: tuple[int, ...], rows: Array, scalars: Array) -> Results:
        """The first steps after a recording, both ways: other inputs than it was made with."""
        self._fresh.discard(key)
        if rows.shape[0] > 1 and self.backend.device != "cpu":
            self.unverified += 1
            return self._replays[key](rows, scalars)
        before = self.unverified
        results = self.verify(rows, scalars)
        self.unverified = before
        return results

    def _take_fingerprint(self) -> Fingerprint | None:
        try:
            return self.fingerprinter.take()
        except Exception as error:  # whatever an attribute raises that is looked at
            if not self.why:
                self.give_up(f"the attributes cannot be watched: {_told(error)}")
            return None

    def _live_arrays(self) -> list[Array]:
        return [array for arrays in (*self.state(), self.data) for array in arrays.values()]

    def _alike_states(self, before: TrainState, after: TrainState) -> bool:
        """Whether what a step has changed and set, since `before`, is as in `after`."""
        (params, its), *others = zip(self.state(), after, strict=True)
        return self._alike(list(params.values()), list(its.values()), list(before.params.values())) and all(
            self._alike(list(own.values()), list(saved.values())) for own, saved in others
        )

    def _alike(self, ours: Sequence[Array], its: Sequence[Array], before: Sequence[Array] = ()) -> bool:
        if len(ours) != len(its) or any(
            x.shape != y.shape or x.dtype != y.dtype for x, y in zip(ours, its, strict=True)
        ):
            return False
        if before:
            return all(map(self.backend.alike_updates, before, ours, its))
        return all(map(self.backend.alike, ours, its))


@contextmanager
def _quiet_threads() -> Iterator[None]:
    """While active, a refusal that ends a thread of a layer's own is not printed."""
    hook = threading.excepthook

    def quiet(args: Any) -> None:
        if not issubclass(args.exc_type, CaptureError):
            hook(args)

    threading.excepthook = quiet
    try:
        yield
    finally:
        threading.excepthook = hook


def _told(error: Exception) -> str:
    """What the error says, and where in the user's code it was raised, as far as that is known."""
    why = str(error) if isinstance(error, CaptureError) else f"{type(error).__name__}: {_line(error)}"
    place = origin(error)
    return f"{why} (in {place})" if place else why


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")
