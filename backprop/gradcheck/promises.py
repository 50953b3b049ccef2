"""The promises of a layer, loss or network, apart from a correct gradient.

Arguments are only read, may have any layout, and on NumPy may be read-only; shapes, dtypes and devices are
preserved; a zero dout gives zero, and twice the dout twice the gradient; a second run gives the same result;
float32 agrees with float64; `backward` without a `forward` raises. For memory, see `aliasing`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..backends import Array, Backend, dtype_name, is_registered, namespace_of
from ..numerical import changes_with, writable
from ..text import indefinite
from .differences import EPSILON
from .report import raised
from .rounding import rounding_changes
from .subject import LayeredSubject, Promise, Slot, Subject, on_host

if TYPE_CHECKING:
    from .function_subject import FunctionSubject
    from .node_subject import NodeSubject

FLOAT32_GATE = 1e-4
"""The relative deviation of a float32 gradient from the float64 one that always passes."""

SAME = 1e-10
"""The relative deviation of two computations of one gradient that always passes."""


def broken(promises: list[Promise]) -> Iterator[str]:
    """Complaints about all broken promises."""
    for what, promise in promises:
        try:
            yield from promise()
        except Exception as error:  # of any kind: an error in user code is a finding
            yield f"{what}: {raised(error)}"


def of_gradients(
    double: LayeredSubject,
    single: LayeredSubject,
    make: Callable[[str], LayeredSubject],
    unresolved: Collection[Slot],
) -> list[Promise]:
    """Promises of every layer, loss and network; see `LayeredSubject.promises`."""
    return [
        ("arguments", lambda: _arguments_kept(make("float64"))),
        ("layout", lambda: _layout_ignored(double)),
        ("repetition", lambda: _repeats(double)),
        ("zero", lambda: _zero_in_zero_out(double)),
        ("float64", lambda: _kind_kept(double)),
        ("float32", lambda: _kind_kept(single)),
        ("precision", lambda: _float32_agrees(single, double, unresolved)),
        ("inference", lambda: _inference_agrees(double)),
        ("memory", lambda: _results_are_the_callers(make("float64"))),
    ]


def of_nodes(make: Callable[[str], NodeSubject]) -> list[Promise]:
    """Further promises of a layer or loss."""
    return [
        ("order", lambda: _needs_forward(make("float64"))),
        ("digits", lambda: _computes_in_float64(make("float64"))),
    ]


def of_layers(double: LayeredSubject) -> list[Promise]:
    """Further promises of a layer or network with `backward_params`."""
    return [("bottom", lambda: _params_alone_agree(double))]


def of_functions(subject: FunctionSubject) -> list[Promise]:
    """Promises of a plain function and its gradient."""
    return [
        ("arguments", lambda: _inputs_left_alone(subject)),
        ("captured arrays", lambda: _computes_from_arguments(subject)),
        ("repetition", lambda: _values_repeat(subject)),
        ("zero", lambda: _zero_in_zero_out(subject)),
    ]


def _inputs_left_alone(subject: FunctionSubject) -> Iterator[str]:
    """Neither f nor its gradient changes its arguments."""
    douts = (subject.library.asarray(subject.dout, dtype="float64"),) if subject.dout.shape else ()
    for what, function, further in (("f", subject.f, ()), ("its gradient", subject.gradient, douts)):
        copies = subject.copies()
        function(*copies, *further)
        for slot, copied in zip(subject.slots, copies, strict=True):
            if not np.array_equal(on_host(copied), on_host(subject.get(slot))):
                yield f"{what} changes its argument {slot[1]}"


def _computes_from_arguments(subject: FunctionSubject) -> Iterator[str]:
    """f reads the checked arrays only through its arguments."""
    for slot, given in zip(subject.slots, subject.given, strict=True):
        if is_registered(given) and writable(given) and changes_with(given, subject.terms):
            yield f"f uses the very array that was given for {slot[1]} instead of its argument"


def _values_repeat(subject: FunctionSubject) -> Iterator[str]:
    """A second call gives the same value: differences of anything else mean nothing."""
    if not np.array_equal(subject.terms(), subject.terms()):
        yield "f returns another value when called again with the same argument"


def _host_gradients(subject: Subject, scale: float = 1.0) -> dict[Slot, np.ndarray]:
    return {slot: on_host(value) for slot, value in subject.gradients(scale).items()}


def _arguments_kept(fresh: LayeredSubject) -> Iterator[str]:
    """Inputs, dout and parameters are unchanged, and on NumPy may be read-only."""
    backend = fresh.library
    host = [backend.to_numpy(value).copy() for value in fresh.inputs]
    fresh.inputs = [_read_only(backend, value) for value in fresh.inputs]
    params = {slot: backend.to_numpy(fresh.get(slot)).copy() for slot in fresh.slots}
    fresh.terms()
    if fresh.changes_dout(lambda dout: _read_only(backend, dout)):
        yield "backward changes its argument dout"
    for i, values in enumerate(host):
        if not np.array_equal(backend.to_numpy(fresh.inputs[i]), values):
            yield f"input {i} is changed"
    for slot, values in params.items():
        if not np.array_equal(backend.to_numpy(fresh.get(slot)), values):
            yield f"{slot[0]}.{slot[1]} is changed"


def _read_only(backend: Backend, array: Array) -> Array:
    """A copy that is read-only, on backends that use host arrays directly."""
    values = backend.to_numpy(array).copy()
    values.flags.writeable = False
    return backend.asarray(values)


def _layout_ignored(subject: LayeredSubject) -> Iterator[str]:
    """Non-contiguous inputs give the same gradients."""
    expected = _host_gradients(subject)
    original = list(subject.inputs)
    subject.inputs = [_strided(value) for value in original]
    found = _host_gradients(subject)
    subject.inputs = original
    allowed = _tolerances(subject, SAME)
    for slot, values in expected.items():
        if _farther(found[slot], values, allowed[slot]):
            yield f"{slot[0]}.{slot[1]}: another gradient for a non-contiguous input"


def _strided(array: Array) -> Array:
    """The same values, spread over every other place in memory."""
    if array.ndim == 0:
        return array
    xp = namespace_of(array)
    pair = xp.stack([array, array], axis=-1)
    return xp.reshape(pair, (*array.shape[:-1], 2 * array.shape[-1]))[..., ::2]


def _repeats(subject: Subject) -> Iterator[str]:
    """A second run gives exactly the same value and gradients."""
    if not np.array_equal(subject.terms(), subject.terms(), equal_nan=True):
        yield "a second run gives another output: values that change from call to call belong in self.state"
    first, second = _host_gradients(subject), _host_gradients(subject)
    for slot, values in first.items():
        if not np.array_equal(values, second[slot]):
            yield f"{slot[0]}.{slot[1]}: a second run gives another gradient"


def _zero_in_zero_out(subject: Subject) -> Iterator[str]:
    """A zero dout gives zero, and twice the dout twice the gradient."""
    once, twice = _host_gradients(subject), _host_gradients(subject, 2.0)
    for slot, values in _host_gradients(subject, 0.0).items():
        if np.any(values != 0.0):
            yield f"{slot[0]}.{slot[1]}: the gradient is not zero for a zero dout"
        least = 1e-14 * float(np.abs(once[slot]).max(initial=0.0)) + 1e-290  # allows for underflow
        if not np.allclose(twice[slot], 2.0 * once[slot], rtol=1e-10, atol=least):
            yield f"{slot[0]}.{slot[1]}: not twice the gradient for twice the dout"


def _kind_kept(subject: LayeredSubject) -> Iterator[str]:
    """Gradients have the library, device, shape and dtype of their arrays; so has the output."""
    backend = subject.library
    gradients = subject.gradients()
    if set(gradients) != set(subject.slots):
        yield f"gradients for {sorted(gradients)}, expected {sorted(subject.slots)}"
    pairs: list[tuple[str, Array, Array | None]] = [
        (f"{slot[0]}.{slot[1]}", value, subject.get(slot)) for slot, value in gradients.items()
    ]
    x = subject.inputs[0]
    if subject.output_shape is not None:
        y = subject.forward(training=True)
        pairs.append((f"output of {subject.name}", y, None))
        if tuple(y.shape) != subject.output_shape:
            yield f"output {tuple(y.shape)} in training but {subject.output_shape} in inference"
    for what, value, reference in pairs:
        if not backend.owns(value):
            yield f"{what}: left {backend.name} on {backend.device} for {indefinite(type(value).__name__)}"
        elif value.dtype != x.dtype:
            yield f"{what}: {dtype_name(value.dtype)} for {dtype_name(x.dtype)} input"
        if reference is not None and tuple(value.shape) != tuple(reference.shape):
            yield f"{what}: shape {tuple(value.shape)}, expected {tuple(reference.shape)}"


def _computes_in_float64(subject: NodeSubject) -> Iterator[str]:
    """The output is not rounded to float32 if its inputs were not."""
    rng = np.random.default_rng(0)
    for slot in subject.slots:
        values = on_host(subject.get(slot))
        values *= 1.0 + 1e-9 * rng.uniform(0.5, 1.0, values.shape)
        subject.set(slot, subject.library.asarray(values, dtype="float64"))
    y = on_host(subject.forward(training=True))
    with np.errstate(over="ignore"):
        telling = np.unique(y[y.astype(np.float16) != y])  # numbers such as 0 and 1 tell nothing
    if telling.size > 2 and np.array_equal(telling.astype(np.float32), telling):
        yield f"output of {subject.name}: float64 with only the precision of float32"


def _float32_agrees(
    single: LayeredSubject, double: LayeredSubject, unresolved: Collection[Slot]
) -> Iterator[str]:
    """The float32 gradient is the float64 one, rounded.

    One that cancels out, such as that of a bias before a normalization, is compared on the others' scale.
    """
    expected, found = _host_gradients(double), _host_gradients(single)
    epsilon = float(np.finfo(np.float32).eps)
    allowed, rounded = _tolerances(double, FLOAT32_GATE, epsilon), rounding_changes(single, epsilon)
    largest = max(np.abs(values).max(initial=0.0) for values in expected.values())
    for slot, values in expected.items():
        cancels = float(np.abs(values).max(initial=0.0)) <= 1e-9 * largest
        least = (1.0 if cancels else 0.01) * FLOAT32_GATE * largest
        of_dout = 10.0 * epsilon * double.largest_dout  # for factors such as 1 - y² that cancel
        allowed_here = max(allowed[slot], 100.0 * rounded[slot], least, of_dout)
        if slot not in unresolved and _farther(found[slot], values, allowed_here):
            error = np.abs(found[slot] - values).max() / max(np.abs(values).max(), 0.01 * largest)
            yield f"{slot[0]}.{slot[1]}: in float32 off by {error:.1e} relative to float64"


def _tolerances(subject: Subject, relative: float, epsilon: float = EPSILON) -> dict[Slot, float]:
    """For each gradient, how far two computations that round to `epsilon` may differ.

    The tolerance is `relative` to its largest entry, or a hundred times the effect of rounding if larger.
    """
    changes = rounding_changes(subject, epsilon)
    return {
        slot: max(relative * float(np.abs(values).max(initial=0.0)), 100.0 * changes[slot])
        for slot, values in _host_gradients(subject).items()
    }


def _farther(one: np.ndarray, other: np.ndarray, allowed: float) -> bool:
    return not float(np.abs(one - other).max(initial=0.0)) <= allowed


def _inference_agrees(subject: LayeredSubject) -> Iterator[str]:
    """Inference and training give the same output, except where a state or a flag tells them apart."""
    if not subject.tells_training:
        training, inference = (
            subject.library.to_numpy(subject.forward(training=training)).copy() for training in (True, False)
        )
        if not np.array_equal(training, inference):
            yield "inference and training give different outputs"


def _results_are_the_callers(fresh: LayeredSubject) -> Iterator[str]:
    """Overwriting a result changes nothing else; see `aliasing`."""
    return fresh.shared_results()


def _needs_forward(subject: NodeSubject) -> Iterator[str]:
    """Backward raises before forward, and after inference, which saves nothing."""
    dout = subject.device_dout()
    for when in ("before forward", "after inference"):
        try:
            subject.node.backward(dout)
            yield f"backward {when} does not raise RuntimeError"
        except RuntimeError:
            pass
        subject.forward(training=True)
        subject.forward(training=False)


def _params_alone_agree(subject: LayeredSubject) -> Iterator[str]:
    """`backward_params` sets the same gradients as `backward`."""
    expected = _host_gradients(subject)
    found, allowed = subject.params_alone(), _tolerances(subject, SAME)
    for slot in subject.param_slots:
        if slot not in found or _farther(on_host(found[slot]), expected[slot], allowed[slot]):
            yield f"{slot[0]}.{slot[1]}: backward_params gives another gradient than backward"
