"""When a step of training is replayed instead of called, and how it stays proven that both are the same.

A step is recorded from one state: it is called, put back, traced, put back and replayed, and all three
have to end alike, bit for bit. What it changes in a layer, the loss or the optimizer besides its state has
to be set before it is read, since a replay sets nothing there. From then on it is on probation: in every
stretch, which is an epoch or what lies between two calls of a hook, the last step is replayed and called,
and the stretch begins with a look at what a user may have changed. Where there is a difference, the stretch
is run again from its start, every step is called from then on, and a `CaptureWarning` names the cause.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from ..backends import Array, Backend, CaptureError, CaptureWarning, Replay
from .fingerprint import Look, Watch, global_draws, untouched
from .origin import origin

State: TypeAlias = Sequence[Mapping[str, Array]]
Results: TypeAlias = tuple[Array, ...]

SHORTEST = 4
"""A stretch of fewer steps is called: proving it takes as long."""


class Recorder:
    """Calls steps(*state, rows, numbers), or replays it.

    Parameters
    ----------
    steps : the function
    state : gives its mappings of arrays: those that it reads and changes, and those that it only reads
    changed : how many of the first
    watch : looks at what it may depend on besides
    """

    def __init__(
        self,
        backend: Backend,
        steps: Callable[..., Results],
        state: Callable[[], State],
        changed: int,
        watch: Watch,
    ) -> None:
        self.backend, self.steps, self.state, self.watch = backend, steps, state, watch
        self._changed = changed
        self.why = ""
        """Why steps are called for good; empty while they may be replayed."""
        self.unproven = 0
        """How many replays there have been since a step was last done both ways."""
        self._ran: set[tuple[int, ...]] = set()
        self._replays: dict[tuple[int, ...], Replay] = {}
        self._fresh: set[tuple[int, ...]] = set()  # recorded, and not yet proven with other inputs
        self._look: Look | None = None
        self._scratch: frozenset[str] = frozenset()
        self._arrays: list[Array] = []
        self._read: list[Any] = []  # what recordings read, kept alive
        self._long_enough = False

    def begin(self, steps: int) -> None:
        """A stretch of so many steps begins: forget recordings that no longer fit what is there."""
        self.unproven = 0
        self._long_enough = steps >= SHORTEST
        if self._long_enough:
            self.has_changed()

    def has_changed(self) -> bool:
        """Whether something has changed that steps were recorded with; those recordings are forgotten."""
        if self.why or not self._replays:
            return False
        look, arrays = self._looked(), self._own()
        same = look is not None and self._look is not None and not self._look.changed(look, self._scratch)
        if same and all(mine is its for mine, its in zip(self._arrays, arrays, strict=True)):
            return False
        self._replays.clear()
        return True

    def run(self, rows: Array, numbers: Array) -> Results:
        """The steps of these rows; the first ones are recorded."""
        key = tuple(rows.shape)
        if self.why or not self._long_enough:
            return self.call(rows, numbers)
        replay = self._replays.get(key)
        if replay is None:
            return self._recorded(key, rows, numbers) if key in self._ran else self.call(rows, numbers)
        if key in self._fresh:
            return self._proven_once(key, rows, numbers)
        self.unproven += 1
        return replay(rows, numbers)

    def call(self, rows: Array, numbers: Array) -> Results:
        """The steps, called."""
        self._ran.add(tuple(rows.shape))
        return self.steps(*self.state(), rows, numbers)

    @property
    def in_doubt(self) -> bool:
        """Whether replays of this stretch were of a recording that has then been given up."""
        return bool(self.why) and self.unproven > 0

    def prove(self, rows: Array, numbers: Array) -> Results:
        """The steps both ways from the same state, if they are replayed at all; what the call gives.

        Where there is a difference, the recording is given up.
        """
        key = tuple(rows.shape)
        replay = self._replays.get(key)
        if self.why or not self._replays or not self._long_enough:
            return self.call(rows, numbers)
        before = self._copied()
        if replay is None:
            return self._recorded_as_proof(key, rows, numbers, before)
        given = replay(rows, numbers)
        after = self._copied()
        self._put(before)
        results = self.call(rows, numbers)
        look = self._looked()
        changed = self._look.changed(look, self._scratch) if look and self._look else {}
        if changed:
            self.give_up(f"{next(iter(changed))} changes in the step and is not in the state")
        elif not (self._alike(given, results) and self._alike_states(before, after)):
            self.give_up("a replayed step does not give what a called one gives")
        else:
            self.unproven = 0
        return results

    def _recorded_as_proof(self, key: tuple[int, ...], rows: Array, numbers: Array, before: Any) -> Results:
        """Record steps of another number, which shows as well whether replays are what calls are."""
        if key not in self._ran:
            self.call(rows, numbers)  # so that all it needs is there
            self._put(before)
        results = self._recorded(key, rows, numbers)
        if not self.why:
            self.unproven = 0
        return results

    def settle(self, rows: Array, numbers: Array) -> None:
        """Prove the replays so far by steps from here, which leave the state as it is."""
        if self.unproven and not self.why:
            before = self._copied()
            self.prove(rows, numbers)
            self._put(before)

    def give_up(self, why: str) -> None:
        """Call every step from now on, and say why, once."""
        self.why = why
        self._replays.clear()
        warnings.warn(f"the step is not captured but called each time, which is slower: {why}",
                      CaptureWarning, stacklevel=2)  # fmt: skip

    def __reduce__(self) -> Any:
        raise TypeError("a recorder cannot be pickled: it belongs to a training that runs")

    def _recorded(self, key: tuple[int, ...], rows: Array, numbers: Array) -> Results:
        """The steps called, and recorded besides."""
        before, seen, drawn = self._copied(), self._looked(), global_draws()
        results = self.call(rows, numbers)
        look = self._looked()
        if seen is None or look is None:
            return results
        if global_draws() != drawn:
            self.give_up("the step draws from a global random generator")
            return results
        after, changed = self._copied(), seen.changed(look)
        outside = next((path for path, place in changed.items() if place is None), None)
        if outside is not None:
            self.give_up(f"{outside} changes in the step and is not in the state")
            return results
        replay, cause = None, ""
        self._put(before)
        try:
            with untouched(look, changed) as copies, _quiet_threads():
                self._read.append(copies)
                replay = self.backend.record(self.steps, self.state(), (rows, numbers))
            cause = self._difference(replay, rows, numbers, before, after, results)
        except Exception as error:  # whatever it was: the called step decides whether it is an error
            cause = _told(error)
        finally:
            self._put(after)
        if cause:
            self.give_up(cause)
        elif replay is not None:
            self._replays[key], self._look, self._arrays = replay, look, self._own()
            self._scratch = frozenset(place.path for place in changed.values() if place is not None)
            self._fresh.add(key)
        return results

    def _difference(
        self, replay: Replay, rows: Array, numbers: Array, before: Any, after: Any, results: Results
    ) -> str:
        """What is other in the traced run, or in a replay, than in the called one."""
        if replay.results is not None and not (
            self._alike(replay.results, results) and self._alike_states(before, after)
        ):
            return "the step does something else when it is recorded"
        if rows.shape[0] > 1 and self.backend.device != "cpu":
            return ""  # many steps drift apart by more than rounding: the last step of a stretch is by itself
        self._put(before)
        if not (self._alike(replay(rows, numbers), results) and self._alike_states(before, after)):
            return "a replayed step does not give what a called one gives"
        return ""

    def _proven_once(self, key: tuple[int, ...], rows: Array, numbers: Array) -> Results:
        """The first steps after a recording, both ways: other inputs than it was made with."""
        self._fresh.discard(key)
        if rows.shape[0] > 1 and self.backend.device != "cpu":
            self.unproven += 1
            return self._replays[key](rows, numbers)
        before = self.unproven
        results = self.prove(rows, numbers)
        self.unproven = before
        return results

    def _looked(self) -> Look | None:
        try:
            return self.watch.look()
        except Exception as error:  # whatever an attribute raises that is looked at
            if not self.why:
                self.give_up(f"the attributes cannot be watched: {_told(error)}")
            return None

    def _own(self) -> list[Array]:
        return [array for kind in self.state() for array in kind.values()]

    def _copied(self) -> list[dict[str, Array]]:
        asarray = self.backend.xp.asarray
        return [
            {key: asarray(value, copy=True) for key, value in kind.items()}
            for kind in self.state()[: self._changed]
        ]

    def _put(self, copies: list[dict[str, Array]]) -> None:
        for kind, copied in zip(self.state(), copies, strict=False):
            for key, value in copied.items():
                kind[key][...] = value

    def _alike_states(self, before: list[dict[str, Array]], after: list[dict[str, Array]]) -> bool:
        """Whether what a step has changed and set, since `before`, is as in `after`."""
        (params, its), *others = zip(self.state(), after, strict=False)
        return self._alike(list(params.values()), list(its.values()), list(before[0].values())) and all(
            self._alike(list(kind.values()), list(copied.values())) for kind, copied in others
        )

    def _alike(self, ours: Sequence[Array], its: Sequence[Array], before: Sequence[Array] = ()) -> bool:
        if len(ours) != len(its) or any(
            x.shape != y.shape or x.dtype != y.dtype for x, y in zip(ours, its, strict=True)
        ):
            return False
        if before:
            return all(map(self.backend.updates_agree, before, ours, its))
        return all(map(self.backend.agree, ours, its))


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
