"""`check_gradients`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..backends import Backend, backend_of, get_backend, is_registered
from ..layers import Node
from ..layers.adapter import BookOperation, adapted
from ..layers.book_style.form import Form, is_book_style
from ..layers.book_style.node import owned
from ..losses.adapter import adapted_loss
from ..networks.network import Network
from ..networks.untrained import warn_of_untrained
from .comparison import GATE, compare
from .function_subject import FunctionSubject
from .gradients import Compare, compare_gradients, localize
from .libraries import library_of
from .network_subject import NetworkSubject
from .node_subject import NodeSubject
from .promises import broken
from .questions import check_question
from .report import GradientEntry, GradientReport, raised
from .subject import LayeredSubject, Subject
from .verdicts import FAILED, UNRESOLVED


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
    subject : is not changed, since the check works on copies. A layer, a loss or an operation in the book's
        style may be given as it is.
    inputs : for a layer, loss or network the arguments of its `forward` (for a network or loss: x and t),
        as host or device arrays. For a function f: its gradient, then the arguments x, … of both, arrays
        of any library. If f returns a number, `gradient(x, …)` returns ∂f/∂x; if it returns an array,
        `gradient(x, …, dout)` returns the gradient of Σ dout · f; for several arguments, a tuple.
    device : where to check a layer, loss or network; by default the device of its parameters or inputs
    rng : draws dout, the gradient from the layer above, and chooses `elements`
    h : a step for plain central differences (f(x + h) − f(x − h)) / 2h; by default each entry has
        steps that suit it, and its differences are extrapolated
    gate : a relative error up to this value passes
    elements : how many entries of each array to compare; by default all

    An entry fails if the gradient deviates, at two steps, by more than the gate and by more than ten times
    the estimated error of the difference. It is unresolved if that error is too large to tell. `passed`
    means that everything agrees; `failed` means that something is wrong.

    >>> from backprop import ReLU
    >>> check_gradients(ReLU(), np.asarray([[1.0, -2.0]])).passed
    True
    >>> check_gradients(lambda x: (x**3).sum(), lambda x: 3.0 * x**2, np.asarray([1.0, 2.0])).passed
    True
    """
    subject = as_node(subject)
    check_question(subject, inputs, elements, h)
    rng = np.random.default_rng(rng)
    options = partial(compare, rng=rng, h=h, gate=gate, elements=elements)
    if isinstance(subject, Node):
        warn_of_untrained({subject.name: subject})
    if isinstance(subject, (Node, Network)):
        return _check_layers(subject, inputs, device, rng, options, gate)
    return _check_function(subject, inputs, rng, options, gate)


def _check_layers(
    subject: Node | Network,
    inputs: tuple[Any, ...],
    device: str | Backend | None,
    rng: np.random.Generator,
    compare: Compare,
    gate: float,
) -> GradientReport:
    """Check a layer, a loss or a network."""
    draws = np.random.get_state(legacy=False)  # from which a layer in the book's style may draw
    try:
        backend = _backend(subject, inputs, device)
        with backend.float64():
            return _check_on(backend, subject, inputs, rng, compare, gate)
    finally:
        np.random.set_state(draws)


def _check_on(
    backend: Backend,
    subject: Node | Network,
    inputs: tuple[Any, ...],
    rng: np.random.Generator,
    compare: Compare,
    gate: float,
) -> GradientReport:
    host = [
        backend_of(value).to_numpy(value) if is_registered(value) else np.asarray(value) for value in inputs
    ]
    draws, seed = np.random.get_state(legacy=False), int(rng.integers(2**31))

    def make(dtype: str) -> NodeSubject | NetworkSubject:
        np.random.set_state(draws)  # the same for every copy
        return subject_of(subject, host, backend, seed, dtype)

    double = make("float64")
    entries, problems = compare_gradients(double, backend, compare)
    culprit, evaluations = None, double.evaluations
    if double.parts:
        entries, culprit, more = localize(double, entries, compare)
        evaluations += more
        if culprit is None and any(entry.verdict == FAILED for entry in entries):
            problems.append("every layer is correct alone: the network's own backward is wrong")
    cut_short = bool(problems)
    if not cut_short:
        problems = _broken_promises(double, make, entries)
    return _report(double, gate, entries, problems, evaluations, culprit, cut_short)


def _broken_promises(
    double: LayeredSubject, make: Callable[[str], Any], entries: list[GradientEntry]
) -> list[str]:
    """The broken promises of the subject, apart from the gradient's value.

    Gradients that are unresolved in float64 are not compared in float32.
    """
    try:
        single = make("float32")
    except Exception as error:  # of any kind: the layer refuses float32
        return [f"float32: {raised(error)}"]
    unresolved = {(entry.layer, entry.parameter) for entry in entries if entry.verdict == UNRESOLVED}
    return list(broken(double.promises(single, make, unresolved)))


def _check_function(
    f: Callable[..., Any], inputs: tuple[Any, ...], rng: np.random.Generator, compare: Compare, gate: float
) -> GradientReport:
    gradient, *arguments = inputs
    library = library_of(arguments[0])
    with library.float64():
        subject = FunctionSubject(f, gradient, arguments, library, rng)
        entries, problems = compare_gradients(subject, None, compare)
        cut_short = bool(problems)
        problems = problems or list(broken(subject.promises()))
    return _report(subject, gate, entries, problems, subject.evaluations, None, cut_short)


def _report(
    subject: Subject,
    gate: float,
    entries: list[GradientEntry],
    problems: list[str],
    evaluations: int,
    culprit: str | None,
    cut_short: bool,
) -> GradientReport:
    return GradientReport(
        subject.name,
        subject.library.name,
        subject.library.device,
        gate,
        tuple(entries),
        tuple(problems),
        evaluations,
        culprit,
        cut_short,
    )


def subject_of(
    checked: Node | Network, host: list[np.ndarray], backend: Backend, seed: int, dtype: str
) -> NodeSubject | NetworkSubject:
    """A copy of the layer, loss or network with its inputs, on `backend` in `dtype`; `seed` is for dout."""
    if isinstance(checked, Network):
        return NetworkSubject.of(checked, host, backend, dtype)
    return NodeSubject.of(checked, host, backend, seed, dtype)


def as_node(subject: Any) -> Any:
    """The subject, adapted if it is in the book's style."""
    if isinstance(subject, Network) or not is_book_style(subject):
        return subject
    if owner := owned(subject):
        return owner
    copied = copy.deepcopy(subject)  # an adapter changes its object
    if (form := Form.of(copied)).is_loss:
        return adapted_loss(copied)
    return BookOperation(copied) if len(form.inputs) == 2 else adapted(copied)


def _backend(subject: Node | Network, inputs: tuple[Any, ...], device: str | Backend | None) -> Backend:
    """The backend asked for, or else that of a network, or of the first array."""
    if device is not None:
        return get_backend(device)
    if isinstance(subject, Network):
        return subject.backend
    arrays = [value for value in (*subject.params.values(), *inputs) if is_registered(value)]
    return backend_of(arrays[0]) if arrays else get_backend("cpu")
