"""Settings, parameters and gradients that are refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends import Backend, get_backend
from backprop import SGD, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSprop, Training

from .cases import DEFAULTS, MAKERS, network

BAD = {
    "lr": ([-0.1, math.inf, math.nan], "a finite learning rate of at least 0"),
    "momentum": ([-0.1, 1.0, math.nan], "momentum from 0 to below 1"),
    "decay_rate": ([-0.1, 1.0, math.nan], "decay_rate from 0 to below 1"),
    "beta1": ([-0.1, 1.0, math.nan], "beta1 from 0 to below 1"),
    "beta2": ([-0.1, 1.0, math.nan], "beta2 from 0 to below 1"),
    "epsilon": ([-0.1, 0.0, math.inf, math.nan], "a finite epsilon above 0"),
    "weight_decay": ([-0.1, math.inf, math.nan], "a finite weight decay of at least 0"),
    "max_norm": ([-0.1, 0.0, math.inf, math.nan], "a finite max_norm above 0"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_setting_is_checked(kind: type[Optimizer]) -> None:
    for setting in (*DEFAULTS[kind], "max_norm"):
        values, message = BAD[setting]
        for value in values:
            with pytest.raises(ValueError, match=rf"^{kind.__name__}: expected {message}, got {value}$"):
                kind(**{setting: value})
        if "at least 0" in message or "from 0" in message:
            assert kind(**{setting: 0}) is not None
    for setting in DEFAULTS[kind]:  # kept as numbers of Python, whatever they come as
        assert type(vars(kind(**{setting: np.float32(0.5)}))[setting]) is float


def test_settings_that_make_no_sense() -> None:
    for make, message in [
        (lambda: Adam(-0.1), "Adam: expected a finite learning rate of at least 0, got -0.1"),
        (lambda: Momentum(0.1, 1.0), "Momentum: expected momentum from 0 to below 1, got 1.0"),
        (lambda: Nesterov(0.1, -0.1), "Nesterov: expected momentum from 0 to below 1, got -0.1"),
        (lambda: RMSprop(0.1, 1.0), "RMSprop: expected decay_rate from 0 to below 1, got 1.0"),
        (lambda: Adam(beta2=1.0), "Adam: expected beta2 from 0 to below 1, got 1.0"),
        (lambda: AdamW(epsilon=0.0), "AdamW: expected a finite epsilon above 0, got 0.0"),
        (lambda: AdamW(weight_decay=-1.0), "AdamW: expected a finite weight decay of at least 0, got -1.0"),
        (lambda: SGD(0.1, max_norm=0.0), "SGD: expected a finite max_norm above 0, got 0.0"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
    assert repr(Momentum(0.1)) == "Momentum(lr=0.1, max_norm=None, momentum=0.9)"


@pytest.mark.parametrize("kind", MAKERS)
def test_gradients_that_do_not_fit(kind: type[Optimizer], backend: Backend) -> None:
    """One error, and nothing has changed: neither the parameters before it nor the count of steps."""
    other = get_backend("strict" if backend.name == "numpy" else "numpy")
    good = backend.asarray([1.0, 1.0])
    for wrong, error, message in [
        ({}, ValueError, "expected a gradient for b, got those for W"),
        ({"b": backend.asarray([1.0])}, ValueError, r"a gradient of shape \(2,\) for b, got \(1,\)"),
        ({"b": backend.asarray(1.0)}, ValueError, r"a gradient of shape \(2,\) for b, got \(\)"),
        ({"b": backend.asarray([[1.0, 1.0]])}, ValueError, r"a gradient of shape \(2,\) for b, got \(1, 2\)"),
        (
            {"b": backend.asarray([1.0, 1.0], dtype="float32")},
            ValueError,
            "of dtype float64 for b, got float32",
        ),
        (
            {"b": other.asarray([1.0, 1.0])},
            ValueError,
            rf"of device {backend.name} .* for b, got {other.name}",
        ),
        ({"b": [1.0, 1.0]}, TypeError, "expected an array .* got list"),
        ({"b": 1.0}, TypeError, "expected an array .* got float"),
    ]:
        optimizer = MAKERS[kind]()
        params = {"W": backend.asarray([1.0, 2.0]), "b": backend.asarray([3.0, 4.0])}
        with pytest.raises(error, match=message):
            optimizer.update(params, {"W": good, **wrong})
        assert backend.to_numpy(params["W"]).tolist() == [1.0, 2.0]
        assert optimizer.steps == 0


def test_float16_is_not_trained(backend: Backend) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip("the standard has no float16")
    half = network(backend).to(dtype="float16")
    x, t = backend.asarray(np.ones((4, 4)), dtype="float16"), backend.asarray(np.asarray([0, 1, 2, 0]))
    message = r"float16 cannot be trained, since .*; train in float32 and .* network.to\(dtype=\"float16\"\)"
    for kind in MAKERS:
        with pytest.raises(TypeError, match=f"^{kind.__name__}: {message}"):
            Training(half, x, t, optimizer=MAKERS[kind](), epochs=1, batch_size=2)
        with pytest.raises(TypeError, match=f"^{kind.__name__}: {message}"):
            MAKERS[kind]().update(half.params, half.params)
    with pytest.raises(TypeError, match=f"^Network: {message}"):
        half.gradient(x, t)


@pytest.mark.parametrize("kind", MAKERS)
def test_read_only_parameters(kind: type[Optimizer]) -> None:
    params = {"W": np.ones(2), "b": np.ones(2)}
    params["b"].flags.writeable = False
    optimizer = MAKERS[kind]()
    with pytest.raises(ValueError, match="b is read-only and cannot be updated; give a copy of it"):
        optimizer.update(params, {key: np.ones(2) for key in params})
    assert params["W"].tolist() == [1.0, 1.0]
    kept = {f"{name}.W": np.zeros(2) for name in optimizer.slot_names}
    for value in kept.values():
        value.flags.writeable = False
    optimizer.slots = kept
    optimizer.update({"W": np.ones(2)}, {"W": np.ones(2)})
    assert optimizer.steps == 1
    for value in kept.values():
        assert value.tolist() == [0.0, 0.0]


def test_a_number_of_numpy_s_is_updated() -> None:
    params = {"x": np.float64(1.0)}
    Momentum(0.5).update(params, {"x": np.float64(1.0)})
    assert params["x"] == 0.5


@pytest.mark.only("torch")
def test_a_parameter_under_autograd(backend: Backend) -> None:
    import torch

    params = {"W": torch.ones(2, requires_grad=True)}
    with pytest.raises(ValueError, match="W is read-only"):
        SGD().update(params, {"W": torch.ones(2)})
