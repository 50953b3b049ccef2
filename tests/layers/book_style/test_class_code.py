"""What a method does with attributes, on every path through its code."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy
import numpy as np
import pytest

from backprop.layers.book_style.class_code import AttributeUse, uses_numpy


class Straight:
    def forward(self, x: Any) -> Any:
        self.x = x
        return self.x * self.gain  # type: ignore[attr-defined]


class InABranch:
    """`mask` is set before it is read on every path, `mean` and `var` are not."""

    mean: Any = None

    def forward(self, x: Any, train: bool) -> Any:
        if self.mean is None:
            self.mean = 0.0
            self.var = 1.0
        if train:
            self.mask = x > 0
            return x * self.mask
        return (x - self.mean) / self.var


class InBothBranches:
    def forward(self, x: Any) -> Any:
        if x > 0:
            self.y = x
        else:
            self.y = -x
        return self.y


class InALoop:
    """The loop may not run at all."""

    def forward(self, x: Any) -> Any:
        for i in range(len(x)):
            self.last = x[i]
        return self.last


class AcrossALoop:
    def forward(self, x: Any) -> Any:
        self.total = 0.0
        while x > 0:
            self.total += x
            x -= 1
        return self.total


class Endless:
    def forward(self, x: Any) -> Any:
        self.best = x
        while True:
            if x < self.best:
                return self.best
            x -= 1


class Augmented:
    count = 0

    def forward(self, x: Any) -> Any:
        self.count += 1
        return x


class ByHelpers:
    """The helper reads what forward has set, and sets what forward reads."""

    def forward(self, x: Any) -> Any:
        self.x = x
        self.__compute()
        return self.out

    def __compute(self) -> None:
        self.out = self.x * 2.0


class Inherited(ByHelpers):
    def forward(self, x: Any) -> Any:
        y = super().forward(x)
        self.again = y
        return self.again


class ReadsWhatTheBaseSets(ByHelpers):
    def forward(self, x: Any) -> Any:
        return super().forward(x) + self.out


class Overrides(Straight):
    """What the base would do is not done."""

    def forward(self, x: Any) -> Any:
        self.own = x
        return self.own


class WithHelper(ByHelpers):
    def _prepare(self, x: Any) -> None:
        self.prepared = x


class UsesHelperOfTheBase(WithHelper):
    def forward(self, x: Any) -> Any:
        super()._prepare(x)
        return self.prepared


class ByName(Augmented):
    def forward(self, x: Any) -> Any:
        return Augmented.forward(self, x)


class Recursive:
    def forward(self, x: Any) -> Any:
        self.depth = x
        return x if x == 0 else self.forward(x - 1)


def logged(function: Any) -> Any:
    @wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


class Decorated:
    @logged
    def forward(self, x: Any) -> Any:
        self.x = x
        return self.x


class InAComprehension:
    def forward(self, x: Any) -> Any:
        self.x = [self.gain * value for value in x]  # type: ignore[attr-defined]
        return self.x


class Raising:
    def forward(self, x: Any) -> Any:
        if x is None:
            raise ValueError(self.name)  # type: ignore[attr-defined]
        self.x = x
        return self.x


@pytest.mark.parametrize(
    ("kind", "fresh", "carried"),
    [
        (Straight, {"x"}, set()),
        (InABranch, {"mask"}, {"mean", "var"}),
        (InBothBranches, {"y"}, set()),
        (InALoop, set(), {"last"}),
        (AcrossALoop, {"total"}, set()),
        (Endless, {"best"}, set()),
        (Augmented, set(), {"count"}),
        (ByHelpers, {"x", "out"}, set()),
        (Inherited, {"x", "out", "again"}, set()),
        (ReadsWhatTheBaseSets, {"x", "out"}, set()),
        (Overrides, {"own"}, set()),
        (UsesHelperOfTheBase, {"prepared"}, set()),
        (ByName, set(), {"count"}),
        (Recursive, {"depth"}, set()),
        (Decorated, {"x"}, set()),
        (InAComprehension, {"x"}, set()),
        (Raising, {"x"}, set()),
    ],
)
def test_what_is_set_before_it_is_read(kind: type, fresh: set[str], carried: set[str]) -> None:
    use = AttributeUse(kind, "forward")
    assert (use.sets.keys() - use.first_reads, use.sets.keys() & use.first_reads) == (fresh, carried)


def test_what_is_read_alone() -> None:
    assert "gain" in AttributeUse(Straight, "forward").first_reads
    assert "gain" in AttributeUse(InAComprehension, "forward").first_reads
    assert AttributeUse(Straight, "no_such_method").sets == {}


class WithNumpy:
    def forward(self, x: Any) -> Any:
        return np.dot(x, x)


class WithItsFullName:
    def forward(self, x: Any) -> Any:
        return numpy.dot(x, x)


def test_whether_a_class_uses_numpy() -> None:
    assert [uses_numpy(kind) for kind in (WithNumpy, WithItsFullName, Straight)] == [True, True, False]
