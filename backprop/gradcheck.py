"""The gradient check: backpropagation against central differences, and what else a layer promises.

Differences are taken in float64, on copies, whatever dtype the subject has. Every entry is
compared (or `elements` of each array), and the worst is reported with both its values. Besides,
`check_gradients` sees that nothing changes its arguments, that shapes, dtypes and devices are
kept, that a zero gradient gives zero, that repeated calls agree, that read-only and non-contiguous
arrays work, and that float32 agrees with float64.

Source: *Deep Learning from Scratch*, section 5.7.3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from backends import Array, Backend, backend_of, dtype_name, get_backend, is_registered, namespace_of

from .layers.base import Layer, Node
from .losses import Loss
from .networks import Network
from .numerical import central_differences

GATE = 1e-7
"""The largest relative error that passes, in float64 with h = 1e-4."""

SCALE_FLOOR = 1e-4
"""Gradients smaller than this everywhere are compared absolutely: differences resolve no more."""

FLOAT32_GATE = 1e-4
"""The largest relative deviation of a float32 gradient from the float64 one."""

Slot = tuple[str, str]
"""A layer's name, and the name of one of its parameters or inputs."""


@dataclass(frozen=True)
class GradientEntry:
    """A line of the report: one parameter or input, at its worst entry."""

    layer: str
    parameter: str
    shape: tuple[int, ...]
    analytic: float
    numerical: float
    error: float
    """max |analytic − numerical| / max(|analytic|, |numerical|), each maximum over the array."""
    index: tuple[int, ...]
    """Where the worst entry is."""
    kinks: int
    """At how many entries the difference straddles a kink and is no derivative."""
    passed: bool

    def __str__(self) -> str:
        return (
            f"{self.layer}.{self.parameter} {self.shape}: relative error {self.error:.1e} at {self.index}, "
            f"analytic {self.analytic:.10g}, numerical {self.numerical:.10g}, {self.kinks} kinks: "
            f"{'passed' if self.passed else 'FAILED'}"
        )


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found."""

    subject: str
    backend: str
    device: str
    gate: float
    entries: tuple[GradientEntry, ...]
    problems: tuple[str, ...]
    """Promises that were broken, apart from the gradient's value."""

    @property
    def passed(self) -> bool:
        """Whether every gradient agrees, no kink was met and every promise was kept."""
        return bool(self.entries) and not self.problems and all(entry.passed for entry in self.entries)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, for JSON, which has no NaN or infinity: they are None."""
        entries = [
            {
                key: None if isinstance(v, float) and not math.isfinite(v) else v
                for key, v in asdict(entry).items()
            }
            for entry in self.entries
        ]
        return {**asdict(self), "entries": entries, "passed": self.passed}

    def __str__(self) -> str:
        return "\n".join([*map(str, self.entries), *(f"FAILED: {problem}" for problem in self.problems)])


def check_gradients(
    subject: Node | Network,
    *inputs: Any,
    device: str | Backend | None = None,
    rng: np.random.Generator | int = 0,
    h: float = 1e-4,
    gate: float = GATE,
    elements: int | None = None,
) -> GradientReport:
    """Check the gradients of a layer, a loss or a network at the given inputs.

    Parameters
    ----------
    subject : it is not changed; the check works on copies
    inputs : what its `forward` takes (for a network and a loss: x and t), host or device arrays.
        Keep them small and away from kinks: every entry costs two evaluations.
    device : where to check; by default where the subject's parameters (or the inputs) are
    rng : for dout, the gradient that comes from above, and for the choice of `elements`
    h, gate : the step of the differences, and the largest relative error that passes
    elements : how many entries of each array to compare; by default all

    >>> from backprop import ReLU
    >>> report = check_gradients(ReLU(), np.asarray([[1.0, -2.0]]))
    >>> report.passed
    True
    """
    _check_question(subject, inputs, elements)
    rng = np.random.default_rng(rng)
    backend = get_backend(device) if device is not None else _home(subject, inputs)
    host = [
        backend_of(value).to_numpy(value) if is_registered(value) else np.asarray(value) for value in inputs
    ]
    name = subject.name if isinstance(subject, Node) else type(subject).__name__
    double = _subject(subject, host, backend, "float64", rng)
    entries, problems = [], []
    try:
        gradients = double.gradients()
    except Exception as error:  # whatever the user's layer raises is a finding, not a crash
        problems.append(f"raised {type(error).__name__}: {error}")
        gradients = {}
    for slot in double.slots if gradients else ():
        fault = _misfit(slot, gradients.get(slot), double.get(slot), backend)
        if fault:
            problems.append(fault)
        else:
            analytic = backend.to_numpy(gradients[slot])
            entries.append(_compare(double, slot, analytic, backend, h, gate, elements, rng))
    if not problems:
        problems = list(_broken_promises(subject, double, host, backend))
    return GradientReport(name, backend.name, backend.device, gate, tuple(entries), tuple(problems))


def _check_question(subject: Node | Network, inputs: tuple[Any, ...], elements: int | None) -> None:
    """Raise unless there is something to check."""
    if isinstance(subject, type) or not isinstance(subject, (Node, Network)):
        raise TypeError(f"check_gradients: expected a layer, a loss or a network, got {subject!r}")
    wanted = 1 if isinstance(subject, Layer) else 2
    if len(inputs) != wanted:
        what = {1: "x"}.get(wanted, "x and t" if isinstance(subject, (Loss, Network)) else "x and y")
        raise TypeError(f"check_gradients: {type(subject).__name__} takes {what}, got {len(inputs)} input(s)")
    if elements is not None and elements < 1:
        raise ValueError(f"check_gradients: expected elements of at least 1, got {elements}")
    if isinstance(subject, Node) and not {"x", "y"}.isdisjoint(subject.params):
        raise ValueError(f"{subject.name}: x and y are the inputs' names; give the parameter another")


def _misfit(slot: Slot, gradient: Any, reference: Array, backend: Backend) -> str | None:
    """What is wrong with a gradient before its values are."""
    what = f"{slot[0]}.{slot[1]}"
    if gradient is None:
        return f"{what}: backward gives no gradient"
    if not backend.owns(gradient):
        return f"{what}: left {backend.name} on {backend.device} for a {type(gradient).__name__}"
    if tuple(gradient.shape) != tuple(reference.shape):
        return f"{what}: a gradient of shape {tuple(gradient.shape)}, expected {tuple(reference.shape)}"
    return None


class _Subject(Protocol):
    """A layer or a network with its inputs: a scalar function of all its arrays."""

    slots: list[Slot]
    inputs: list[Array]

    def get(self, slot: Slot) -> Array: ...
    def set(self, slot: Slot, values: Array) -> None: ...
    def value(self) -> tuple[float, list[Array]]:
        """The scalar, and the region of every piecewise layer."""

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        """The gradient of scale · value by backpropagation, for every slot."""


class _NodeSubject:
    """Σ dout · node(inputs), with a fixed random dout."""

    def __init__(self, node: Any, inputs: list[Array], dout: np.ndarray, backend: Backend) -> None:
        self.node, self.inputs, self.dout, self.backend = node, inputs, dout, backend
        self.start = {key: backend.to_numpy(value).copy() for key, value in node.state.items()}
        names = ("x", "y")[: 1 if isinstance(node, (Loss, Layer)) else 2]
        self.param_slots = [(node.name, key) for key in node.params]
        self.slots = [*self.param_slots, *((node.name, key) for key in names)]

    def get(self, slot: Slot) -> Array:
        key = slot[1]
        return self.node.params[key] if key in self.node.params else self.inputs["xy".index(key)]

    def set(self, slot: Slot, values: Array) -> None:
        key = slot[1]
        if key in self.node.params:
            self.node.params[key] = values
        else:
            self.inputs["xy".index(key)] = values

    def value(self) -> tuple[float, list[Array]]:
        y = self.forward(training=True)
        regions = [self.node.region(self.inputs[0])] if isinstance(self.node, Layer) else []
        return float((self.backend.to_numpy(y) * self.dout).sum()), [r for r in regions if r is not None]

    def forward(self, *, training: bool) -> Array:
        """The output, always from the same state: the same mask, the same statistics."""
        self.node.state = {key: self.backend.asarray(value.copy()) for key, value in self.start.items()}
        return self.node.forward(*self.inputs, training=training)

    def device_dout(self, scale: float) -> Array:
        """The dout on the device: 0-d for a loss."""
        dtype = self.inputs[0].dtype
        return self.backend.asarray(self.dout * scale, dtype=dtype)

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        self.forward(training=True)
        dx = self.node.backward(self.device_dout(scale))
        inputs = zip("xy", dx if isinstance(dx, tuple) else (dx,), strict=False)
        return {(self.node.name, key): value for key, value in (*self.node.grads.items(), *inputs)}

    def params_alone(self) -> dict[Slot, Array]:
        """The gradients of the parameters that `backward_params` sets."""
        self.node.grads.clear()
        self.forward(training=True)
        self.node.backward_params(self.device_dout(1.0))
        return {(self.node.name, key): value for key, value in self.node.grads.items()}


class _NetworkSubject:
    """network.loss(x, t)."""

    def __init__(self, network: Network, inputs: list[Array]) -> None:
        self.network, self.inputs = network, inputs
        self.start = {key: network.backend.to_numpy(value).copy() for key, value in network.state.items()}
        self.param_slots = [(name, key) for name, layer in network.layers.items() for key in layer.params]
        self.slots = [*self.param_slots, ("input", "x")]

    def get(self, slot: Slot) -> Array:
        return self.inputs[0] if slot[0] == "input" else self.network.layers[slot[0]].params[slot[1]]

    def set(self, slot: Slot, values: Array) -> None:
        if slot[0] == "input":
            self.inputs[0] = values
        else:
            self.network.layers[slot[0]].params[slot[1]] = values

    def value(self) -> tuple[float, list[Array]]:
        self.restart()
        x, regions = self.inputs[0], []
        for layer in self.network.layers.values():
            regions.append(layer.region(x))
            x = layer.forward(x, training=True)
        loss = self.network.penalized(self.network.last_layer.forward(x, self.inputs[1]))
        return float(self.network.backend.to_numpy(loss)), [r for r in regions if r is not None]

    def restart(self) -> None:
        """Every run starts from the same state: the same masks, the same statistics."""
        for key, value in self.start.items():
            self.network.state[key] = self.network.backend.asarray(value.copy())

    def gradients(self, scale: float = 1.0) -> dict[Slot, Array]:
        self.forward()
        dx = self.network.backward(scale)
        return {**self.grads(), ("input", "x"): dx}

    def params_alone(self) -> dict[Slot, Array]:
        """The gradients of the parameters that `backward_params` sets."""
        self.forward()
        self.network.flat_grads["flat"] = self.network.flat_grads["flat"] * 0.0
        self.network.backward_params()
        return self.grads()

    def forward(self) -> None:
        """Forward, keeping what backward needs."""
        self.restart()
        y = self.network.forward(self.inputs[0], training=True)
        self.network.last_layer.forward(y, self.inputs[1], training=True)

    def grads(self) -> dict[Slot, Array]:
        """The parameters' gradients, as arrays of their own."""
        flat = self.network.flat_grads
        copied = self.network.backend.xp.asarray(flat["flat"], copy=True)
        return dict(zip(self.param_slots, flat.split(copied).values(), strict=True))


def _subject(
    subject: Node | Network,
    host: list[np.ndarray],
    backend: Backend,
    dtype: str,
    rng: np.random.Generator | None,
) -> Any:
    """A copy of the subject with its inputs, on `backend` and in `dtype`."""
    inputs = [
        backend.asarray(value.copy(), dtype=_input_dtype(i, value, subject, dtype))
        for i, value in enumerate(host)
    ]
    if isinstance(subject, Network):
        network = subject.to(dtype=dtype, device=backend)
        y = network.forward(inputs[0])
        inputs[1] = network.as_target(inputs[1], y.shape[0], y.shape[1:])
        return _NetworkSubject(network, inputs)
    node: Any = subject.to(backend, dtype)
    y = node.forward(*inputs)
    dout = np.asarray((rng or np.random.default_rng(0)).uniform(0.5, 1.5, tuple(y.shape)))
    return _NodeSubject(node, inputs, dout, backend)


def _input_dtype(i: int, value: np.ndarray, subject: Node | Network, dtype: str) -> str | None:
    """Labels keep their dtype; everything else is differentiated."""
    is_target = i == 1 and isinstance(subject, (Loss, Network))
    return None if is_target and value.dtype.kind in "biu" else dtype


def _home(subject: Node | Network, inputs: tuple[Any, ...]) -> Backend:
    if isinstance(subject, Network):
        return subject.backend
    arrays = [value for value in (*subject.params.values(), *inputs) if is_registered(value)]
    return backend_of(arrays[0]) if arrays else get_backend("cpu")


def _compare(
    subject: _Subject,
    slot: Slot,
    analytic: np.ndarray,
    backend: Backend,
    h: float,
    gate: float,
    elements: int | None,
    rng: np.random.Generator,
) -> GradientEntry:
    """One array's analytic gradient against central differences."""
    original = backend.to_numpy(subject.get(slot)).copy()
    regions: list[list[Array]] = []
    kinks = 0

    def f(values: np.ndarray) -> float:
        nonlocal kinks
        subject.set(slot, backend.asarray(values))
        value, here = subject.value()
        regions.append(here)
        if len(regions) == 2:  # above and below
            kinks += _differ(*regions)
            regions.clear()
        return value

    entries = np.arange(original.size)
    if elements is not None and elements < original.size:
        entries = rng.choice(original.size, elements, replace=False)
    numerical = central_differences(f, original.copy(), h, entries)
    subject.set(slot, backend.asarray(original))

    compared = np.zeros(original.size, dtype=bool)
    compared[entries] = True
    compared = compared.reshape(original.shape)
    deviation = np.where(compared, np.abs(analytic - numerical), 0.0)
    deviation = np.where(np.isnan(deviation), np.inf, deviation)
    scale = max(np.abs(analytic).max(), np.abs(np.where(compared, numerical, 0.0)).max(), SCALE_FLOOR)
    index = tuple(int(i) for i in np.unravel_index(int(deviation.argmax()), deviation.shape))
    error = float(deviation[index] / scale) if math.isfinite(scale) else math.inf
    return GradientEntry(
        *slot,
        shape=tuple(original.shape),
        analytic=float(analytic[index]),
        numerical=float(numerical[index]),
        error=error,
        index=index,
        kinks=kinks,
        passed=error <= gate and kinks == 0,
    )


def _differ(above: list[Array], below: list[Array]) -> bool:
    """Whether a layer lies on another piece above than below."""
    return any(bool(namespace_of(a).any(a != b)) for a, b in zip(above, below, strict=True))


def _broken_promises(
    subject: Node | Network, double: Any, host: list[np.ndarray], backend: Backend
) -> Iterator[str]:
    """What the subject promises besides the right gradient, and does not keep."""
    try:
        single = _subject(subject, host, backend, "float32", None)
    except Exception as error:  # a layer that cannot take float32 at all
        yield f"float32: raised {type(error).__name__}: {error}"
        return
    if isinstance(double, _NodeSubject):
        single.dout = double.dout
    promises: list[tuple[str, Callable[[], Iterator[str]]]] = [
        ("arguments", lambda: _arguments_kept(subject, host, backend)),
        ("layout", lambda: _layout_ignored(double, backend)),
        ("repetition", lambda: _repeats(double, backend)),
        ("zero", lambda: _zero_in_zero_out(double, backend)),
        ("float64", lambda: _kind_kept(double, backend)),
        ("float32", lambda: _kind_kept(single, backend)),
        ("precision", lambda: _float32_agrees(single, double, backend)),
        ("inference", lambda: _inference_agrees(double, backend)),
    ]
    if isinstance(subject, Node):
        promises.append(("order", lambda: _needs_forward(_subject(subject, host, backend, "float64", None))))
    if isinstance(subject, (Layer, Network)):
        promises.append(("bottom", lambda: _params_alone_agree(double, backend)))
    for what, promise in promises:
        try:
            yield from promise()
        except Exception as error:  # whatever the user's layer raises is a finding, not a crash
            yield f"{what}: raised {type(error).__name__}: {error}"


def _host_gradients(subject: _Subject, backend: Backend, scale: float = 1.0) -> dict[Slot, np.ndarray]:
    return {slot: backend.to_numpy(value).copy() for slot, value in subject.gradients(scale).items()}


def _arguments_kept(subject: Node | Network, host: list[np.ndarray], backend: Backend) -> Iterator[str]:
    """Inputs, dout and parameters are as before, and on NumPy may be read-only."""
    fresh = _subject(subject, host, backend, "float64", None)
    fresh.inputs = [_read_only(backend, value) for value in fresh.inputs]
    params = {slot: backend.to_numpy(fresh.get(slot)).copy() for slot in fresh.slots}
    fresh.value()
    if isinstance(fresh, _NodeSubject):
        fresh.forward(training=True)
        dout = _read_only(backend, fresh.device_dout(1.0))
        dout_before = backend.to_numpy(dout).copy()
        fresh.node.backward(dout)
        if not np.array_equal(backend.to_numpy(dout), dout_before):
            yield "backward changes its argument dout"
    else:
        fresh.gradients()
    for i, values in enumerate(host):
        if not np.array_equal(backend.to_numpy(fresh.inputs[i]), values):
            yield f"input {i} is changed"
    for slot, values in params.items():
        if not np.array_equal(backend.to_numpy(fresh.get(slot)), values):
            yield f"{slot[0]}.{slot[1]} is changed"


def _read_only(backend: Backend, array: Array) -> Array:
    """The same values; on backends whose host arrays are used as they are, read-only."""
    values = backend.to_numpy(array).copy()
    values.flags.writeable = False
    return backend.asarray(values)


def _layout_ignored(subject: Any, backend: Backend) -> Iterator[str]:
    """Inputs that are not contiguous give the same gradients."""
    expected = _host_gradients(subject, backend)
    original = list(subject.inputs)
    subject.inputs = [_strided(value) for value in original]
    found = _host_gradients(subject, backend)
    subject.inputs = original
    for slot, values in expected.items():
        if not np.allclose(found[slot], values, rtol=1e-10, atol=1e-12):
            yield f"{slot[0]}.{slot[1]}: another gradient for a non-contiguous input"


def _strided(array: Array) -> Array:
    """The same values, every other one in memory."""
    if array.ndim == 0:
        return array
    xp = namespace_of(array)
    pair = xp.stack([array, array], axis=-1)
    return xp.reshape(pair, (*array.shape[:-1], 2 * array.shape[-1]))[..., ::2]


def _repeats(subject: _Subject, backend: Backend) -> Iterator[str]:
    """A second run gives the very same gradients."""
    first, second = _host_gradients(subject, backend), _host_gradients(subject, backend)
    for slot, values in first.items():
        if not np.array_equal(values, second[slot]):
            yield f"{slot[0]}.{slot[1]}: a second run gives another gradient"


def _zero_in_zero_out(subject: _Subject, backend: Backend) -> Iterator[str]:
    """A zero dout gives zero, and twice the dout twice the gradient."""
    once, twice = _host_gradients(subject, backend), _host_gradients(subject, backend, 2.0)
    for slot, values in _host_gradients(subject, backend, 0.0).items():
        if np.any(values != 0.0):
            yield f"{slot[0]}.{slot[1]}: a gradient that is not zero for a zero dout"
        if not np.allclose(twice[slot], 2.0 * once[slot], rtol=1e-10, atol=1e-12):
            yield f"{slot[0]}.{slot[1]}: not twice the gradient for twice the dout"


def _kind_kept(subject: Any, backend: Backend) -> Iterator[str]:
    """Gradients have the library, device, shape and dtype of what they belong to; so has the output."""
    gradients = subject.gradients()
    if set(gradients) != set(subject.slots):
        yield f"gradients for {sorted(gradients)}, expected {sorted(subject.slots)}"
    pairs = [(f"{slot[0]}.{slot[1]}", value, subject.get(slot)) for slot, value in gradients.items()]
    x = subject.inputs[0]
    if isinstance(subject, _NodeSubject):
        y = subject.forward(training=True)
        pairs.append((f"output of {subject.node.name}", y, None))
        if tuple(y.shape) != subject.dout.shape:
            yield f"output {tuple(y.shape)} in training but {subject.dout.shape} in inference"
    for what, value, reference in pairs:
        if not backend.owns(value):
            yield f"{what}: left {backend.name} on {backend.device} for a {type(value).__name__}"
        elif value.dtype != x.dtype:
            yield f"{what}: {dtype_name(value.dtype)} for {dtype_name(x.dtype)} input"
        if reference is not None and tuple(value.shape) != tuple(reference.shape):
            yield f"{what}: shape {tuple(value.shape)}, expected {tuple(reference.shape)}"


def _float32_agrees(single: _Subject, double: _Subject, backend: Backend) -> Iterator[str]:
    """The float32 gradient is the float64 one, rounded.

    One that cancels out, as that of a bias before a normalization, is compared on the others' scale.
    """
    expected, found = _host_gradients(double, backend), _host_gradients(single, backend)
    floor = max(SCALE_FLOOR, 0.01 * max(np.abs(values).max() for values in expected.values()))
    for slot, values in expected.items():
        error = np.abs(found[slot] - values).max() / max(np.abs(values).max(), floor)
        if not error <= FLOAT32_GATE:
            yield f"{slot[0]}.{slot[1]}: in float32 off by {error:.1e} relative to float64"


def _inference_agrees(subject: Any, backend: Backend) -> Iterator[str]:
    """Without a state, which training alone may use, inference gives what training gives."""
    node = subject.node if isinstance(subject, _NodeSubject) else subject.network
    inputs = subject.inputs if isinstance(subject, _NodeSubject) else subject.inputs[:1]
    if not subject.start:
        training, inference = (
            backend.to_numpy(node.forward(*inputs, training=training)).copy() for training in (True, False)
        )
        if not np.array_equal(training, inference):
            yield "inference gives another output than training"


def _needs_forward(subject: _NodeSubject) -> Iterator[str]:
    """Backward is refused before forward, and after an inference that has kept nothing."""
    dout = subject.device_dout(1.0)
    for when in ("before forward", "after inference"):
        try:
            subject.node.backward(dout)
            yield f"backward {when} does not raise RuntimeError"
        except RuntimeError:
            pass
        subject.forward(training=True)
        subject.forward(training=False)


def _params_alone_agree(subject: Any, backend: Backend) -> Iterator[str]:
    """`backward_params` sets the same gradients as `backward`."""
    expected = _host_gradients(subject, backend)
    found = subject.params_alone()
    for slot in subject.param_slots:
        if slot not in found or not np.allclose(
            backend.to_numpy(found[slot]), expected[slot], rtol=1e-12, atol=0.0
        ):
            yield f"{slot[0]}.{slot[1]}: backward_params gives another gradient than backward"
