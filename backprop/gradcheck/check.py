"""`check_gradients`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..backends import Array, Backend, backend_of, get_backend, is_registered
from ..layers import Layer, Node
from ..losses import Loss
from ..networks.network import Network
from .comparison import GATE, compare
from .differences import EPSILON
from .libraries import library_of
from .promises import broken_by_function, broken_promises
from .report import FAILED, UNRESOLVED, GradientEntry, GradientReport, excused
from .rounding import rounding_changes
from .subjects import INPUTS, FunctionSubject, NetworkSubject, NodeSubject, Slot, Variable, on_host

Compare = Callable[..., GradientEntry]


def check_gradients(
    subject: Node | Network | Callable[..., Any],
    *inputs: Any,
    device: str | Backend | None = None,
    rng: np.random.Generator | int = 0,
    h: float | None = None,
    gate: float = GATE,
    elements: int | None = None,
) -> GradientReport:
    """Check the gradients of a layer, a loss, a network or a function at the given inputs.

    Parameters
    ----------
    subject : it is not changed; the check works on copies
    inputs : of a layer, loss or network what its `forward` takes (for a network and a loss: x and t), as
        host or device arrays. Of a function f: its gradient, then the arguments x, … of both, arrays of
        any library. For an f that returns a number, `gradient(x, …)` returns ∂f/∂x; for one that returns
        an array, `gradient(x, …, dout)` returns the gradient of Σ dout · f; of several arguments a tuple.
    device : where to check a layer, loss or network; by default where its parameters (or the inputs) are
    rng : for dout, the gradient that comes from above, and for the choice of `elements`
    h : a step for plain central differences (f(x + h) − f(x − h)) / 2h; by default each entry has
        steps that suit it, and its differences are extrapolated
    gate : a relative error up to this passes
    elements : how many entries of each array to compare; by default all

    An entry fails where the gradient deviates by more than the gate and by more than ten times the
    estimated error of the difference, at two steps. It is unresolved where that error is too large to
    tell. `passed` wants all entries settled; `failed` is true where something is wrong.

    >>> from backprop import ReLU
    >>> check_gradients(ReLU(), np.asarray([[1.0, -2.0]])).passed
    True
    >>> check_gradients(lambda x: (x**3).sum(), lambda x: 3.0 * x**2, np.asarray([1.0, 2.0])).passed
    True
    """
    _check_question(subject, inputs, elements, h)
    rng = np.random.default_rng(rng)
    options = partial(compare, rng=rng, h=h, gate=gate, elements=elements)
    if isinstance(subject, (Node, Network)):
        return _check_node(subject, inputs, device, rng, options, gate)
    return _check_function(subject, inputs, rng, options, gate)


def _check_node(
    subject: Node | Network,
    inputs: tuple[Any, ...],
    device: str | Backend | None,
    rng: np.random.Generator,
    compare: Compare,
    gate: float,
) -> GradientReport:
    backend = get_backend(device) if device is not None else _home(subject, inputs)
    host = [
        backend_of(value).to_numpy(value) if is_registered(value) else np.asarray(value) for value in inputs
    ]
    make = partial(made, subject, host, backend, int(rng.integers(2**31)))
    double = make("float64")
    entries, problems = _compared(double, backend, compare)
    culprit, evaluations = None, double.evaluations
    if isinstance(double, NetworkSubject):
        entries, culprit, more = _localized(double, entries, backend, compare)
        evaluations += more
        if culprit is None and any(entry.verdict == FAILED for entry in entries):
            problems.append("every layer is right by itself: the network's own backward is wrong")
    cut_short = bool(problems)
    if not cut_short:
        unresolved = {(entry.layer, entry.parameter) for entry in entries if entry.verdict == UNRESOLVED}
        problems = list(broken_promises(subject, double, make, backend, unresolved))
    name = subject.name if isinstance(subject, Node) else type(subject).__name__
    return GradientReport(
        name,
        backend.name,
        backend.device,
        gate,
        tuple(entries),
        tuple(problems),
        evaluations,
        culprit,
        cut_short,
    )


def _check_function(
    f: Callable[..., Any], inputs: tuple[Any, ...], rng: np.random.Generator, compare: Compare, gate: float
) -> GradientReport:
    gradient, *arguments = inputs
    library = library_of(arguments[0])
    subject = FunctionSubject(f, gradient, arguments, library, rng)
    entries, problems = _compared(subject, None, compare)
    cut_short = bool(problems)
    problems = problems or list(broken_by_function(subject))
    return GradientReport(
        subject.name,
        library.name,
        library.device,
        gate,
        tuple(entries),
        tuple(problems),
        subject.evaluations,
        cut_short=cut_short,
    )


def _check_question(subject: Any, inputs: tuple[Any, ...], elements: int | None, h: float | None) -> None:
    """Raise unless there is something to check."""
    if elements is not None and elements < 1:
        raise ValueError(f"check_gradients: expected elements of at least 1, got {elements}")
    if h is not None and not h > 0.0:
        raise ValueError(f"check_gradients: expected a step h above 0, got {h}")
    if not isinstance(subject, (Node, Network)):
        _check_function_question(subject, inputs)
        return
    wanted = 1 if isinstance(subject, Layer) else 2
    if len(inputs) != wanted:
        what = {1: "x"}.get(wanted, "x and t" if isinstance(subject, (Loss, Network)) else "x and y")
        raise TypeError(f"check_gradients: {type(subject).__name__} takes {what}, got {len(inputs)} input(s)")
    for node in subject.layers.values() if isinstance(subject, Network) else [subject]:
        if not set(INPUTS).isdisjoint(node.params):
            raise ValueError(f"{node.name}: x and y are the inputs' names; give the parameter another")


def _check_function_question(subject: Any, inputs: tuple[Any, ...]) -> None:
    kind = subject if isinstance(subject, type) else type(subject)
    if issubclass(kind, (Node, Network)):
        raise TypeError(f"check_gradients: expected a layer, a loss or a network, got {subject!r}")
    if hasattr(kind, "forward") and hasattr(kind, "backward"):
        raise TypeError(
            f"check_gradients: {kind.__name__} is no Layer: derive it from backprop.layers.Layer (a loss "
            "from backprop.losses.Loss), or give a function and its gradient: check_gradients(f, grad, x)"
        )
    if not callable(subject):
        raise TypeError(
            f"check_gradients: expected a layer, a loss, a network or a function, got {subject!r}"
        )
    if len(inputs) < 2 or not callable(inputs[0]):
        raise TypeError(
            "check_gradients: of a function, expected its gradient and its arguments, "
            f"check_gradients(f, grad, x), got {len(inputs)} input(s)"
        )


def made(
    subject: Node | Network, host: list[np.ndarray], backend: Backend, seed: int, dtype: str
) -> NodeSubject | NetworkSubject:
    """A copy of the subject with its inputs, on `backend` and in `dtype`, and with a dout from the seed."""
    inputs, copies = (
        [
            backend.asarray(value.copy(), dtype=_input_dtype(i, value, subject, dtype))
            for i, value in enumerate(host)
        ]
        for _ in range(2)
    )
    if isinstance(subject, Network):
        network = subject.to(dtype=dtype, device=backend)
        y = network.forward(copies[0])
        inputs[1] = network.as_target(inputs[1], y.shape[0], y.shape[1:])
        return NetworkSubject(network, inputs)
    node: Any = subject.to(backend, dtype)
    y = node.forward(*copies)
    return NodeSubject(
        node, inputs, np.asarray(np.random.default_rng(seed).uniform(0.5, 1.5, tuple(y.shape))), backend
    )


def _input_dtype(i: int, value: np.ndarray, subject: Node | Network, dtype: str) -> str | None:
    """Labels keep their dtype; everything else is differentiated."""
    is_target = i == 1 and isinstance(subject, (Loss, Network))
    return None if is_target and value.dtype.kind in "biu" else dtype


def _home(subject: Node | Network, inputs: tuple[Any, ...]) -> Backend:
    if isinstance(subject, Network):
        return subject.backend
    arrays = [value for value in (*subject.params.values(), *inputs) if is_registered(value)]
    return backend_of(arrays[0]) if arrays else get_backend("cpu")


def _compared(
    subject: Any, backend: Backend | None, compare: Compare, slots: list[Slot] | None = None
) -> tuple[list[GradientEntry], list[str]]:
    """A line for every gradient, or for those of `slots`, and what is wrong with others as arrays."""
    entries, problems = [], []
    try:
        gradients = subject.gradients()
    except Exception as error:  # whatever the user's code raises is a finding, not a crash
        return [], [f"raised {type(error).__name__}: {error}"]
    changes = _rounding(subject)
    for slot in subject.slots if slots is None else slots:
        fault = _misfit(slot, gradients.get(slot), subject.get(slot), backend)
        if fault:
            problems.append(fault)
        else:
            line = compare(Variable(subject, slot), on_host(gradients[slot]), rounding=changes.get(slot, 0.0))
            entries.append(line)
    return entries, problems


def _rounding(subject: Any) -> dict[Slot, float]:
    """What rounding does to each gradient, where it can be told."""
    try:
        return rounding_changes(subject, EPSILON)
    except Exception:  # a gradient that does not come, or in another shape, is a finding of its own
        return {}


def _misfit(slot: Slot, gradient: Any, reference: Array, backend: Backend | None) -> str | None:
    """What is wrong with a gradient before its values are."""
    what = f"{slot[0]}.{slot[1]}"
    if 0 in reference.shape:
        return f"{what}: an array without entries, {tuple(reference.shape)}, has nothing to compare"
    if gradient is None:
        return f"{what}: backward gives no gradient"
    if backend is not None and not backend.owns(gradient):
        return f"{what}: left {backend.name} on {backend.device} for a {type(gradient).__name__}"
    if tuple(gradient.shape) != tuple(reference.shape):
        return f"{what}: a gradient of shape {tuple(gradient.shape)}, expected {tuple(reference.shape)}"
    return None


def _localized(
    subject: NetworkSubject, entries: list[GradientEntry], backend: Backend, compare: Compare
) -> tuple[list[GradientEntry], str | None, int]:
    """The lines with those of every layer's own dx; the first wrong layer, going backward; evaluations.

    A layer is compared by itself, with the input and the dout that it has in the network, so what lies
    below a wrong one is not taken for wrong.
    """
    failed = {(entry.layer, entry.parameter) for entry in entries if entry.verdict == FAILED}
    bottom = next(iter(subject.network.layers), None)
    layers = subject.alone()
    own: dict[str, list[GradientEntry]] = {}
    culprits = []
    for name, layer in layers.items():
        # Of the bottom layer, dx is the network's.
        dx = [] if name == bottom and entries and ("input", "x") not in failed else [(name, "x")]
        own[name], problems = _compared(
            layer, backend, compare, [slot for slot in layer.param_slots if slot in failed] + dx
        )
        if problems or any(entry.verdict == FAILED for entry in own[name]):
            culprits.append(name)
    guilty = {(e.layer, e.parameter) for name in culprits for e in own[name] if e.verdict == FAILED}
    lines = []
    for name in [*subject.network.layers, subject.network.last_layer.name, "input"]:
        for entry in (entry for entry in entries if entry.layer == name):
            blameless = culprits and (name, entry.parameter) not in guilty
            lines.append(excused(entry) if blameless else entry)
        lines += [entry for entry in own.get(name, []) if entry.parameter == "x"]
    evaluations = sum(layer.evaluations for layer in layers.values())
    return lines, culprits[0] if culprits else None, evaluations
