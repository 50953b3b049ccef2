"""What both the page and the text say in words: the sample, the tables, the numerical derivative."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from ..backends import HostArray
from ..pages import html
from ..statistics import Statistics
from ..text import digits, shape
from .difference import AGREE, Difference, decimal
from .explanation import Explanation
from .steps import PART, Step

HEAD = ("", "shape", "mean ± sd", "smallest", "largest", "zeros", "norm")

READING = (
    "Indices count from 0, and the first one of x and y is the place of the sample in the batch: x[0,3] is "
    "entry 3 of sample 0. Numbers have four digits, or more where digits cancel; ≈ stands where what is "
    "written gives another last digit. Of a long sum, the largest terms are written, and what all others "
    "come to."
)

LONGEST = 22
"""Numbers with more characters are written with a power of ten."""

FULL = 16
"""The digits of a number that is compared with another, if it has that many."""

MOST_CLASSES = 20


def lead(found: Explanation) -> str:
    """What is explained: the sample, and what the network says about it."""
    text = f"{found.name[:1].upper()}{found.name[1:]}"
    p, label = found.prediction, found.label
    if p is None or label is None or not np.isfinite(p).all():
        return f"{text}."
    said = int(p.argmax())
    return f"{text}, labelled {label}: the network says {said} with {html.percent(float(p[said]), 1)}."


def batch(found: Explanation) -> str:
    """The batch and its loss."""
    trace = found.trace
    samples = f"{len(trace.x)} samples" if len(trace.x) > 1 else "1 sample"
    penalty = trace.value - float(trace.loss.output)
    parts = f" + weight decay {digits(penalty)}" if trace.weight_decay else ""
    return f"A batch of {samples}: loss {digits(float(trace.loss.output))}{parts}."


def way_back(step: Step) -> str:
    """What comes back, and what goes on."""
    if step.is_loss:
        samples = len(step.node.inputs[0])
        start = f"The way back begins with {PART}L = {digits(float(step.node.dout))}; {PART}x goes on."
        if samples == 1:
            return start
        return (
            f"{start} L is the mean over {samples} samples: the gradients of each have a factor 1/{samples}."
        )
    return f"{PART}y comes back from above, {PART}x goes on."


def heading(found: Explanation, step: Step, name: str) -> str:
    """What is worked out."""
    if name == "L":
        mean = digits(float(step.node.output))
        return f"The loss of the sample; L is the mean over the batch, {mean}"
    if name.removeprefix(PART) in step.node.params:
        return f"The entry of {name} farthest from 0, a sum over the batch"
    return f"The entry of {name} farthest from 0, for the sample"


def derivative_heading(difference: Difference) -> str:
    """What is differentiated numerically."""
    return f"{PART}{difference.name} once more, by a numerical derivative in float64"


def function(found: Explanation) -> str:
    """What f is."""
    return f"f is the loss of the batch{' + weight decay' if found.trace.weight_decay else ''}"


def arrays(step: Step) -> Iterator[tuple[str, ...]]:
    """A row of statistics for every array of a step."""
    for name, values in step.arrays.items():
        if not (name == "t" and values.dtype.kind in "biu"):  # the numbers of classes have no mean
            yield statistics(name, values)


def statistics(name: str, values: HostArray) -> tuple[str, ...]:
    """A row of the table of statistics."""
    found = Statistics.of(values)
    mean, std = digits(found.mean), digits(found.std)
    spread = f"{mean} ± {std}" if found.size > 1 else mean
    return (
        name,
        shape(values.shape),
        f"{found.nonfinite:,} not finite" if found.nonfinite else spread,
        digits(found.smallest),
        digits(found.largest),
        html.percent(found.zeros, 0),
        digits(found.norm),
    )


def classes(found: Explanation) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """The scores, probabilities, target and gradient of the sample, a row for each class."""
    p, loss = found.probabilities, found.trace.loss
    if p is None or len(p) > MOST_CLASSES:
        return None
    x, gradient, t = loss.inputs[0][found.sample], loss.dinputs[0], found.trace.t[found.sample]
    target = np.eye(len(p))[int(t)] if t.ndim == 0 else t
    assert gradient is not None  # x has one
    rows = zip(x, p, target, gradient[found.sample], strict=True)
    numbers = [[digits(float(value)) for value in row] for row in rows]
    return ("class", "x", "p", "t", f"{PART}x"), [(str(k), *row) for k, row in enumerate(numbers)]


def derivative(difference: Difference) -> list[tuple[str, str, str]]:
    """The steps of the numerical derivative: name, number, and its first characters that are right.

    The last two are the numerical derivative and that of backpropagation, whose equal beginning is marked.
    """
    d = difference
    above, below, change = _aligned(decimal(d.above), decimal(d.below), d.change)
    numerical, analytic = digits(float(d.quotient), FULL), digits(d.analytic, FULL)
    unchanged, same = common(above, below), "" if math.isnan(d.error) else common(numerical, analytic)
    rows = [
        (f"w = {d.name}", repr(d.value), ""),
        ("h", digits(d.h), ""),
        ("f(w + h)", above, unchanged),
        ("f(w − h)", below, unchanged),
        ("f(w + h) − f(w − h)", change, ""),
        ("divided by 2h", numerical, same),
        ("backpropagation", analytic, same),
    ]
    return [(name, number.replace("-", "−"), part.replace("-", "−")) for name, number, part in rows]


def _aligned(*numbers: Decimal) -> list[str]:
    """Numbers with all their digits and equally many decimals, or with powers of ten if these are many."""
    if all(number.is_finite() for number in numbers):
        decimals = max(-int(number.as_tuple().exponent) for number in numbers)
        texts = [f"{number:.{max(decimals, 0)}f}" for number in numbers]
        if max(map(len, texts)) <= LONGEST:
            return texts
    return [digits(float(number), FULL) for number in numbers]


def verdict(difference: Difference) -> str:
    """Whether both derivatives agree."""
    if np.isnan(difference.error):
        return "A number is NaN or infinite: there is nothing to compare."
    if difference.agrees and difference.error > AGREE:
        return "They agree up to the rounding of f: both are 0, or close to it."
    if difference.agrees:
        return f"They agree: the relative difference is {digits(difference.error, 1)}."
    return (
        f"They differ by {digits(difference.error, 1)}, relative to the larger: a ReLU or a maximum may "
        "change between w − h and w + h, or the gradient is wrong. backprop check tells which."
    )


def common(one: str, other: str) -> str:
    """The characters with which both numbers begin; none if their powers of ten differ.

    >>> common("-1.2345e-5", "-1.2399e-5"), common("1.5e-5", "1.5e-4")
    ('-1.23', '')
    """
    if one.partition("e")[2] != other.partition("e")[2]:
        return ""
    ends = [i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    return one[: ends[0]] if ends else one[: min(len(one), len(other))]


def shown_image(x: HostArray, rows: int = 14) -> list[str]:
    """A picture (C, H, W) in characters, grey, half as many rows as columns."""
    shades = " .:-=+*#%@"
    every = max(1, -(-x.shape[2] // (2 * rows)))
    wide = np.nan_to_num(x.astype(np.float64)).mean(axis=0)[:, ::every]
    small = np.stack([part.mean(axis=0) for part in np.array_split(wide, -(-len(wide) // (2 * every)))])
    low, high = float(small.min()), float(small.max())
    places = ((small - low) / ((high - low) or 1.0) * (len(shades) - 1)).round().astype(int)
    return ["".join(shades[i] for i in row).rstrip() for row in places]
