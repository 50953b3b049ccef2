"""Compare all gradients of a subject with differences; in a network, find the wrong layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backends import Array, Backend
from ..text import indefinite
from .differences import EPSILON
from .report import GradientEntry, excused, raised
from .rounding import rounding_changes
from .subject import LayeredSubject, Slot, Subject, on_host
from .variable import Variable
from .verdicts import FAILED

Compare = Callable[..., GradientEntry]
"""`comparison.compare` with its options."""


def compare_gradients(
    subject: Subject, backend: Backend | None, compare: Compare, slots: list[Slot] | None = None
) -> tuple[list[GradientEntry], list[str]]:
    """Compare every gradient, or those of `slots`; return entries, and problems that prevent a comparison."""
    entries, problems = [], []
    try:
        gradients = subject.gradients()
    except Exception as error:  # of any kind: an error in user code is a finding
        return [], [raised(error)]
    changes = _rounding(subject)
    for slot in subject.slots if slots is None else slots:
        fault = _misfit(slot, gradients.get(slot), subject.get(slot), backend)
        if fault:
            problems.append(fault)
        else:
            variable, rounding = Variable(subject, slot), changes.get(slot, 0.0)
            entries.append(compare(variable, on_host(gradients[slot]), rounding=rounding))
    return entries, problems


def _rounding(subject: Subject) -> dict[Slot, float]:
    """The effect of rounding on each gradient; empty if it cannot be computed."""
    try:
        return rounding_changes(subject, EPSILON)
    except Exception:  # a missing or misshapen gradient is reported elsewhere
        return {}


def _misfit(slot: Slot, gradient: Any, reference: Array, backend: Backend | None) -> str | None:
    """What is wrong with a gradient, apart from its values; None if nothing is."""
    what = f"{slot[0]}.{slot[1]}"
    if 0 in reference.shape:
        return f"{what}: an array of shape {tuple(reference.shape)} has no entries to compare"
    if gradient is None:
        return f"{what}: backward returns no gradient"
    if backend is not None and not backend.owns(gradient):
        return f"{what}: left {backend.name} on {backend.device} for {indefinite(type(gradient).__name__)}"
    if tuple(gradient.shape) != tuple(reference.shape):
        return f"{what}: a gradient of shape {tuple(gradient.shape)}, expected {tuple(reference.shape)}"
    return None


def localize(
    subject: LayeredSubject, entries: list[GradientEntry], compare: Compare
) -> tuple[list[GradientEntry], str | None, int]:
    """Find the wrong layer; return the entries with each layer's dx, its name, and the evaluations.

    Each layer is compared alone, with the input and the dout that it has in the network, so a wrong layer
    does not make those below it look wrong. Of several, the first one going backward is named.
    """
    failed = {(entry.layer, entry.parameter) for entry in entries if entry.verdict == FAILED}
    bottom = subject.parts[0]
    layers = subject.alone()
    own: dict[str, list[GradientEntry]] = {}
    culprits = []
    for name, layer in layers.items():
        # The bottom layer's dx is the network's own.
        dx = [] if name == bottom and entries and ("input", "x") not in failed else [(name, "x")]
        own[name], problems = compare_gradients(
            layer, subject.library, compare, [slot for slot in layer.param_slots if slot in failed] + dx
        )
        if problems or any(entry.verdict == FAILED for entry in own[name]):
            culprits.append(name)
    guilty = {(e.layer, e.parameter) for name in culprits for e in own[name] if e.verdict == FAILED}
    lines = []
    for name in subject.parts:
        for entry in (entry for entry in entries if entry.layer == name):
            blameless = culprits and (name, entry.parameter) not in guilty
            lines.append(excused(entry) if blameless else entry)
        lines += [entry for entry in own.get(name, []) if entry.parameter == "x"]
    evaluations = sum(layer.evaluations for layer in layers.values())
    return lines, culprits[0] if culprits else None, evaluations
