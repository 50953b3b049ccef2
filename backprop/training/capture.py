"""Replay a recorded training step instead of calling it, and keep verifying that both give the same result.

To record a step, it is called, traced and replayed, each time from the same state; all three must end alike,
bit for bit. Any attribute of a layer, the loss or the optimizer that the step changes outside the state must
be set before it is read, since a replay does not set it. From then on the recording is verified again in
every segment, which is an epoch or the steps between two calls of a hook or of `progress`: it begins with a
check for changes by the user, and its last step is both replayed and called. If they differ, the segment is
run again from its start, every later step is called, and a `CaptureWarning` names the cause.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ..backends import Array, Backend, CaptureError, CaptureWarning, Communicator, HostArray, Replay
from ..layers.spec import ArraySpec
from .fingerprint import Fingerprint, Fingerprinter, Place, global_draws, untouched
from .origin import origin
from .state import TrainState

Results: TypeAlias = tuple[Array, ...]

DIFFERENT = "a replayed step and a called one give different results"

SHORTEST = 4
"""Shorter segments are called: verifying them would take as long."""

SAMPLED = 2
"""How many of many recorded steps are called: joining the results of several is part of the recording."""

MOST = 6
"""The most recordings that differ in the number of steps, since each may take seconds to compile."""


class StepCapture:
    """Calls `scan(state, data, rows, scalars)`, or replays a recording of it.

    Parameters
    ----------
    scan : the function; it changes the arrays of the state and reads those of the data
    record : records a function, as `Backend.record` does
    state : returns the live state
    fingerprinter : inspects whatever else the function may depend on
    communicator : the processes that run it together: they record, verify and give up together, too
    """

    def __init__(
        self,
        backend: Backend,
        scan: Callable[[TrainState, Mapping[str, Array], Array, Array], Results],
        record: Callable[..., Replay],
        state: Callable[[], TrainState],
        data: Mapping[str, Array],
        fingerprinter: Fingerprinter,
        communicator: Communicator | None = None,
    ) -> None:
        self.backend, self.scan, self.record, self.state, self.data = backend, scan, record, state, data
        self.fingerprinter, self.communicator = fingerprinter, communicator or Communicator()
        self.why = ""
        """Why all steps are called; empty while they may be replayed."""
        self.unverified = 0
        """The number of replays since a step was last run both ways."""
        self._verdicts: list[Array] = []  # on the device: whether results that were verified agree
        self._called: set[tuple[int, ...]] = set()
        self._replays: dict[tuple[int, ...], Replay] = {}
        self._fresh: set[tuple[int, ...]] = set()  # recorded, but not yet verified with other inputs
        self._fingerprint: Fingerprint | None = None
        self._scratch: frozenset[str] = frozenset()
        self._places: list[Any] = []
        self._read: list[Any] = []  # what recordings read; must stay alive
        self._long_enough = False

    def begin(self, steps: int) -> None:
        """Begin a segment of so many steps: drop recordings that are out of date."""
        self.unverified, self._verdicts = 0, []
        self._long_enough = steps >= SHORTEST
        if self._long_enough:
            self.drop_stale()

    def drop_stale(self) -> bool:
        """Drop the recordings if something they depend on has changed; return whether it has."""
        if self.why or not self._replays:
            return False
        (fingerprint, cause), places, known = self._inspect(), self._live_places(), self._fingerprint
        if self._gives_up(cause):
            return True
        same = fingerprint is not None and known is not None and not known.changed(fingerprint, self._scratch)
        if not self._first("" if same and _are_same(self._places, places) else "out of date"):
            return False
        self._replays.clear()
        return True

    def chunk_size(self, steps: int, batch_size: int) -> int:
        """How many of the next steps to run at once: all, or as many as one of enough recordings has."""
        known = [count for count, size in self._replays if size == batch_size]
        if steps in known or len(known) < MOST:
            return steps
        return max((count for count in known if count <= steps), default=1)

    def run(self, rows: Array, scalars: Array) -> Results:
        """Run a step for each row, recorded or replayed if possible."""
        key = tuple(rows.shape)
        if self.why or not self._long_enough:
            return self.call(rows, scalars)
        replay = self._replays.get(key)
        if replay is None:
            if self._is_sampled(rows):
                return self._record_sampled(key, rows, scalars)
            return self._record(key, rows, scalars) if key in self._called else self.call(rows, scalars)
        if key in self._fresh:
            return self._verify_fresh(key, rows, scalars)
        self.unverified += 1
        return replay(rows, scalars)

    def call(self, rows: Array, scalars: Array) -> Results:
        """Call a step for each row."""
        self._called.add(tuple(rows.shape))
        return self.scan(self.state(), self.data, rows, scalars)

    @property
    def needs_rerun(self) -> bool:
        """Whether this segment has replays of a recording that was then given up."""
        return bool(self.why) and self.unverified > 0

    def verify(self, rows: Array, scalars: Array) -> Results:
        """Replay and call the steps from the same state, if they are replayed; return the call's results.

        Whether they agree is known on the device; `settle` reads it.
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
        (fingerprint, cause), known = self._inspect(), self._fingerprint
        changed = known.changed(fingerprint, self._scratch) if fingerprint and known else {}
        if changed:
            cause = f"{next(iter(changed))} changes in the step and is not in the state"
        if not self._gives_up(cause):
            self._verdicts += [*self._alike(replayed, results), *self._alike_states(before, after)]
        return results

    def settle(self, *others: Array) -> list[HostArray]:
        """Give the recording up if what was verified does not agree; return the values of other arrays.

        All of it is read from the device at once.
        """
        verdicts, self._verdicts = self._verdicts, []
        values = self.backend.read(*verdicts, *others)
        if verdicts and not self.why:
            agree = all(map(bool, values[: len(verdicts)]))
            if not self._gives_up("" if agree else DIFFERENT):
                self.unverified = 0
        return values[len(verdicts) :]

    def _record_to_verify(
        self, key: tuple[int, ...], rows: Array, scalars: Array, before: TrainState
    ) -> Results:
        """Record another number of steps, which also compares replays with calls."""
        if key not in self._called:
            self.call(rows, scalars)  # so that all it needs is there
            self.state().restore(before)
        results = self._record(key, rows, scalars)
        if not self.why:
            self.unverified = 0
        return results

    def _is_sampled(self, rows: Array) -> bool:
        """Whether a recording of these steps is compared in the first only: rounding adds up over many."""
        return rows.shape[0] > 1 and not self.backend.replays_exactly

    def _record_sampled(self, key: tuple[int, ...], rows: Array, scalars: Array) -> Results:
        """Record all steps, and call only `SAMPLED` of them.

        The first one replayed must equal the first one called. The very first steps are called before, so
        that all they need is there. Where the steps cannot be replayed the others are called, so that none
        is called twice: a layer may count its calls.
        """
        before, called, start = self.state().copy(), list[Results](), 0
        if not any(count > 1 and size == key[1] for count, size in self._called):
            if key[0] < 2 * SAMPLED:
                return self.call(rows, scalars)
            called, start = [self.call(rows[:SAMPLED, ...], scalars[:SAMPLED, ...])], SAMPLED
        stop = start + SAMPLED
        called.append(self._record(key, rows, scalars, called=slice(start, stop)))
        replay = self._replays.get(key)
        if replay is not None:
            after = self.state().copy()
            self.state().restore(before)
            results = replay(rows, scalars)
            firsts = self._alike(*([values[:1, ...] for values in each] for each in (results, called[0])))
            agree = all(map(bool, self.backend.read(*firsts)))
            if not self._gives_up("" if agree else DIFFERENT):
                self.unverified += 1
                return results
            self.state().restore(after)
        if stop < key[0]:
            called.append(self.call(rows[stop:, ...], scalars[stop:, ...]))
        return self._joined(called)

    def _joined(self, parts: Sequence[Results]) -> Results:
        """The results of steps, one after another."""
        return tuple(self.backend.xp.concat(list(values)) for values in zip(*parts, strict=True))

    def verify_replays(self, rows: Array, scalars: Array) -> None:
        """Verify the replays so far by steps from here, which leave the state as it is."""
        if self.unverified and not self.why:
            before = self.state().copy()
            self.verify(rows, scalars)
            self.settle()
            self.state().restore(before)

    def _first(self, cause: str) -> str:
        """The first cause that a process has, in all of them; empty if none has one."""
        return next(filter(None, self.communicator.gather(cause)), "")

    def _gives_up(self, cause: str) -> bool:
        """Whether any process has a cause to give up, as all then do."""
        why = self._first(cause)
        if why:
            self.give_up(why)
        return bool(why)

    def give_up(self, why: str) -> None:
        """Call every step from now on, and warn once with the cause."""
        self.why = why
        self._replays.clear()
        if self.communicator.rank == 0:
            warnings.warn(f"the step is not captured but called each time, which is slower: {why}",
                          CaptureWarning, stacklevel=3)  # fmt: skip

    def __reduce__(self) -> Any:
        raise TypeError("a step's capture cannot be pickled: it belongs to a running training")

    def _record(
        self, key: tuple[int, ...], rows: Array, scalars: Array, called: slice = slice(None)
    ) -> Results:
        """Call the steps, or some of them, and record all; return the results of the call."""
        before, (earlier, cause), drawn = self.state().copy(), self._inspect(), global_draws()
        results = self.call(rows[called, ...], scalars[called, ...])
        fingerprint, its = self._inspect()
        after = self.state().copy()
        changed = earlier.changed(fingerprint) if earlier and fingerprint else {}
        outside = next((path for path, place in changed.items() if place is None), None)
        if global_draws() != drawn:
            cause = "the step draws from a global random generator"
        elif outside is not None:
            cause = f"{outside} changes in the step and is not in the state"
        if self._gives_up(cause or its) or fingerprint is None:
            return results
        self.state().restore(before)
        try:
            replay, cause = self._recorded(fingerprint, changed, rows, scalars)
            cause = self._first(cause)  # before a replay, in which all take part
            if replay is not None and not cause:
                cause = self._difference(replay, rows, scalars, before, after, results)
        finally:
            self.state().restore(after)
        if not self._gives_up(cause) and replay is not None:
            self._replays[key], self._fingerprint, self._places = replay, fingerprint, self._live_places()
            self._scratch = frozenset(place.path for place in changed.values() if place is not None)
            self._fresh.add(key)
        return results

    def _recorded(
        self, fingerprint: Fingerprint, changed: Mapping[str, Place | None], rows: Array, scalars: Array
    ) -> tuple[Replay | None, str]:
        """The recorded steps, or the cause why they cannot be recorded."""
        try:
            with untouched(fingerprint, changed) as copies, _quiet_threads:
                self._read.append(copies)
                state = (*self.state(), self.data)
                return self.record(self._scan_of_mappings, state, (rows, scalars)), ""
        except Exception as error:  # of any kind: if it is a real error, the called step raises it
            return None, _cause_of(error)

    def _scan_of_mappings(self, *arguments: Any) -> Results:
        """`scan` in the form that a backend records: plain mappings of arrays, then arrays."""
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
        """How the traced steps or a replay differ from the called ones; empty if they agree."""
        if self._is_sampled(rows):
            return ""
        alone = self.communicator.size == 1  # else the recording has others' summands of another step
        if alone and replay.results and not self._equal(replay.results, results, before, after):
            return "the step behaves differently when it is recorded"
        self.state().restore(before)
        if not self._equal(replay(rows, scalars), results, before, after):
            return DIFFERENT
        return ""

    def _equal(self, ours: Results, its: Results, before: TrainState, after: TrainState) -> bool:
        """Whether results are alike and the live state, `before` until the steps ran, is like `after`."""
        verdicts = [*self._alike(ours, its), *self._alike_states(before, after)]
        return all(map(bool, self.backend.read(*verdicts)))

    def _verify_fresh(self, key: tuple[int, ...], rows: Array, scalars: Array) -> Results:
        """Run the first steps after a recording both ways: their inputs differ from the recorded ones."""
        self._fresh.discard(key)
        if self._is_sampled(rows):
            self.unverified += 1
            return self._replays[key](rows, scalars)
        before = self.unverified
        results = self.verify(rows, scalars)
        self.settle()
        self.unverified = before
        return results

    def _inspect(self) -> tuple[Fingerprint | None, str]:
        """A fingerprint, or the cause why there is none."""
        try:
            return self.fingerprinter.take(), ""
        except Exception as error:  # of any kind: reading an attribute runs user code
            return None, f"the attributes cannot be inspected: {_cause_of(error)}"

    def _live_places(self) -> list[Any]:
        """The arrays that a recording reads and changes, or the mappings that it takes them from."""
        mappings = *self.state(), self.data
        arrays = [array for arrays in mappings for array in arrays.values()]
        if not self.backend.replays_mappings:
            return arrays
        return [*mappings, *(ArraySpec.of(array) for array in arrays)]

    def _alike_states(self, before: TrainState, after: TrainState) -> list[Array]:
        """For each array of the live state, which was `before` until the steps ran: is it as in `after`?"""
        (params, its), *others = zip(self.state(), after, strict=True)
        return [
            *self._alike(list(params.values()), list(its.values()), list(before.params.values())),
            *(x for own, saved in others for x in self._alike(list(own.values()), list(saved.values()))),
        ]

    def _alike(
        self, ours: Sequence[Array], its: Sequence[Array], before: Sequence[Array] = ()
    ) -> list[Array]:
        """For each pair of arrays, whether they can be results of the same calls: 0-d booleans."""
        if len(ours) != len(its) or any(
            x.shape != y.shape or x.dtype != y.dtype for x, y in zip(ours, its, strict=True)
        ):
            return [self.backend.asarray(False)]
        if before:
            return list(map(self.backend.updates_agree, before, ours, its))
        return list(map(self.backend.agree, ours, its))


def _are_same(ours: Sequence[Any], its: Sequence[Any]) -> bool:
    """Whether these are the same objects, or where they are specs of arrays, equal ones."""
    return len(ours) == len(its) and all(
        mine is other or (isinstance(mine, ArraySpec) and mine == other)
        for mine, other in zip(ours, its, strict=True)
    )


class _QuietThreads:
    """While any recording is made, a `CaptureError` that ends a layer's own thread is not printed."""

    def __init__(self) -> None:
        self._lock, self._active, self._hook = threading.Lock(), 0, threading.excepthook

    def __enter__(self) -> None:
        with self._lock:
            self._active += 1
            if self._active == 1:
                self._hook, threading.excepthook = threading.excepthook, self._quiet

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._active -= 1
            if not self._active:
                threading.excepthook = self._hook

    def _quiet(self, args: Any) -> None:
        if not issubclass(args.exc_type, CaptureError):
            self._hook(args)


_quiet_threads = _QuietThreads()


def _cause_of(error: Exception) -> str:
    """The error's message, with the place in the user's code where it was raised, if known."""
    why = str(error) if isinstance(error, CaptureError) else f"{type(error).__name__}: {_line(error)}"
    place = origin(error)
    return f"{why} (in {place})" if place else why


def _line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")
