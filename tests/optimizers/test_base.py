"""The contract, for every optimizer."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import backprop.optimizers
from backends import Backend
from backends.numpy.fusion import BLOCK
from backprop import Momentum, Optimizer, Training
from backprop.optimizers import OPTIMIZERS
from backprop.optimizers.base import settings_of

from .cases import DEFAULTS, MAKERS, gradients, network, start, trained


def test_all_are_listed() -> None:
    kinds = {
        kind
        for kind in vars(backprop.optimizers).values()
        if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
    }
    assert set(OPTIMIZERS.values()) == kinds == set(MAKERS)


@pytest.mark.parametrize("kind", MAKERS)
def test_defaults(kind: type[Optimizer]) -> None:
    assert settings_of(kind()) == {**DEFAULTS[kind], "max_norm": None}
    assert settings_of(kind(max_norm=0.5)) == {**DEFAULTS[kind], "max_norm": 0.5}
    optimizer = kind(**DEFAULTS[kind])  # every setting has its own name
    optimizer.update({"W": np.ones(3)}, {"W": np.ones(3)})
    assert repr(optimizer) == repr(kind())  # what it has gathered is no setting


@pytest.mark.parametrize("kind", MAKERS)
def test_a_step_is_a_function_of_explicit_state(kind: type[Optimizer], backend: Backend) -> None:
    """`apply` does what `update` does and leaves the optimizer alone."""
    pure, other = MAKERS[kind](max_norm=3.0), MAKERS[kind](max_norm=3.0)
    params, expected = ({key: backend.asarray(p.copy()) for key, p in start().items()} for _ in range(2))
    slots = pure.init(params)
    assert set(slots) == {f"{name}.{key}" for name in kind.slot_names for key in params}
    for value in slots.values():
        assert not backend.to_numpy(value).any()
    for step, host in enumerate(gradients(), 1):
        grads = {key: backend.asarray(g) for key, g in host.items()}
        pure.apply(params, grads, slots, pure.scalars(step))
        other.update(expected, grads)
    for key, p in params.items():
        np.testing.assert_array_equal(backend.to_numpy(p), backend.to_numpy(expected[key]))
    for name, slot in slots.items():
        np.testing.assert_array_equal(backend.to_numpy(slot), backend.to_numpy(other.slots[name]))
    assert (pure.steps, pure.slots, other.steps) == (0, {}, 100)


class Wrapping(Optimizer):
    """Another optimizer inside, by its functions of explicit state."""

    def __init__(self, inner: Optimizer) -> None:
        super().__init__()
        self.inner, self.slot_names = inner, inner.slot_names  # type: ignore[misc]

    def scalars(self, step: int) -> tuple[float, ...]:
        return self.inner.scalars(step)

    def loss_scale(self, scalars: Any) -> Any:
        return self.inner.loss_scale(scalars)

    def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
        self.inner.apply(params, grads, slots, scalars)


@pytest.mark.parametrize("kind", MAKERS)
def test_an_optimizer_around_another(kind: type[Optimizer], backend: Backend) -> None:
    """It is recorded as the inner one by itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found, expected = (
            trained(optimizer, backend, True, (2, 1))
            for optimizer in (Wrapping(MAKERS[kind]()), MAKERS[kind]())
        )
    np.testing.assert_array_equal(found, expected)


REFUSED = (
    r"^Own: an optimizer does not override update; write rule, or for a step that does not act on single "
    r"entries apply\(self, params, grads, slots, scalars\)$"
)


def test_an_update_of_one_s_own_is_refused() -> None:
    class Mixin:
        def update(self, params: Any, grads: Any) -> None:
            """As the book writes it."""

    for bases in ((Optimizer,), (Momentum,), (Mixin, Momentum)):
        own = {} if Mixin in bases else {"update": Mixin.update}
        with pytest.raises(TypeError, match=REFUSED):
            type("Own", bases, own)
    assert type("Own", (Momentum, Mixin), {})().slot_names == ("v",)


def test_an_apply_of_one_s_own_is_the_step_of_update(backend: Backend) -> None:
    class Own(Optimizer):
        def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
            params["W"] -= scalars[0] * grads["W"]

    params, optimizer = {"W": backend.asarray([1.0, 1.0])}, Own(0.5)
    for _ in range(2):
        optimizer.update(params, {"W": backend.asarray([1.0, 4.0])})
    assert backend.to_numpy(params["W"]).tolist() == [0.0, -3.0]
    assert optimizer.steps == 2


@pytest.mark.parametrize("kind", MAKERS)
def test_an_apply_around_that_of_the_class(kind: type[Optimizer], backend: Backend) -> None:
    """Half the gradient by an `apply` that calls the class's, and as half the loss."""

    class Half(kind):  # type: ignore[misc,valid-type]
        def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
            super().apply(params, {key: 0.5 * g for key, g in grads.items()}, slots, scalars)

    class Halved(kind):  # type: ignore[misc,valid-type]
        def loss_scale(self, scalars: Any) -> Any:
            return 0.5 * super().loss_scale(scalars)

    def optimizer(kind: type[Optimizer]) -> Optimizer:
        return kind(lambda step: 0.1 / step)

    halved = trained(optimizer(Halved), backend, False, (2, 1))
    for capture in (True, False):
        half = optimizer(Half)
        np.testing.assert_allclose(trained(half, backend, capture, (2, 1)), halved, rtol=1e-9, atol=1e-12)
        assert half.steps == 15
    by_hand = [{"W": backend.asarray([1.0, -2.0])} for _ in range(2)]
    for params, own in zip(by_hand, (optimizer(Half), optimizer(Halved)), strict=True):
        for _ in range(3):
            own.update(params, {"W": backend.asarray([1.0, 3.0])})
    np.testing.assert_allclose(*(backend.to_numpy(params["W"]) for params in by_hand), rtol=1e-12)


def test_gradients_that_an_apply_gets_wrong_are_refused_in_fit() -> None:
    class Own(Momentum):
        def apply(self, params: Any, grads: Any, slots: Any, scalars: Any) -> None:
            super().apply(params, {key: g[:1] for key, g in grads.items()}, slots, scalars)

    with pytest.raises(ValueError, match=r"Own: expected a gradient of shape \(67,\) for flat, got \(1,\)"):
        trained(Own(), "cpu", False)


def test_a_constructor_that_leaves_out_that_of_the_base() -> None:
    class Own(Optimizer):
        def __init__(self) -> None:
            self.beta = 0.9

    for use in (
        lambda: trained(Own(), "cpu", False),
        lambda: Own().update({"W": np.ones(1)}, {"W": np.ones(1)}),
    ):
        with pytest.raises(
            AttributeError, match=r"^Own: its __init__ does not call super\(\).__init__\(lr\)"
        ):
            use()
    with pytest.raises(AttributeError, match="no attribute 'gamma'"):
        Momentum().gamma  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("kind", MAKERS)
def test_the_rate_is_that_of_the_step(kind: type[Optimizer]) -> None:
    """A schedule is the same as setting `lr` before every step."""
    scheduled, by_hand = ({"W": np.asarray([1.0, -2.0])} for _ in range(2))
    one, other = kind(lambda step: 0.1 / step), kind(0.1)
    for step in range(1, 5):
        other.lr = 0.1 / step
        for optimizer, params in ((one, scheduled), (other, by_hand)):
            optimizer.update(params, {"W": np.asarray([1.0, 3.0]) * step})
    np.testing.assert_array_equal(scheduled["W"], by_hand["W"])


@pytest.mark.parametrize("kind", MAKERS)
def test_float32_stays(kind: type[Optimizer], backend: Backend) -> None:
    optimizer = MAKERS[kind]()
    params = {"W": backend.asarray(np.ones(3), dtype="float32")}
    for _ in range(2):
        optimizer.update(params, {"W": backend.asarray(np.arange(3.0), dtype="float32")})
    for array in (params["W"], *optimizer.slots.values()) if optimizer.slot_names else (params["W"],):
        assert array.dtype == backend.dtype("float32")
        assert backend.owns(array)


@pytest.mark.parametrize("kind", MAKERS)
def test_gradients_are_not_changed(kind: type[Optimizer]) -> None:
    g = np.arange(3.0)
    g.flags.writeable = False
    MAKERS[kind](max_norm=0.5).update({"W": np.ones(3)}, {"W": g})
    np.testing.assert_array_equal(g, np.arange(3.0))


@pytest.mark.parametrize(
    "options",
    [{}, {"max_norm": 0.05}, {"max_norm": 0.7}],  # of gradients around 1, some 0.1 with SGD's rate in them
)
@pytest.mark.parametrize("kind", MAKERS)
def test_fit_is_update_step_by_step(kind: type[Optimizer], options: dict[str, Any], backend: Backend) -> None:
    """The flat vector, captured or called, and the named arrays by `update` give the same."""
    captured, called = (trained(MAKERS[kind](**options), backend, capture) for capture in (True, False))
    np.testing.assert_allclose(captured, called, rtol=1e-12, atol=1e-14)
    rng, net, optimizer = np.random.default_rng(0), network(backend), MAKERS[kind](**options)
    x, t = rng.standard_normal((90, 4)), rng.integers(0, 3, 90)
    order = np.random.default_rng(0)
    for _ in range(4):
        rows = order.permutation(90)
        for i in range(0, 90, 20):
            chosen = rows[i : i + 20]
            grads = net.gradient(backend.asarray(x[chosen]), backend.asarray(t[chosen]))
            optimizer.update(net.params, grads)
    np.testing.assert_allclose(backend.to_numpy(net.flat_params["flat"]), called, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", MAKERS)
def test_an_optimizer_goes_on_in_the_next_fit(kind: type[Optimizer]) -> None:
    optimizer = MAKERS[kind]()
    trained(optimizer, "cpu", True, (2, 1))
    assert optimizer.steps == 15
    other = MAKERS[kind]()
    trained(other, "cpu", False, (2, 1))
    for key, value in optimizer.slots.items():
        np.testing.assert_array_equal(value, other.slots[key])


def test_a_rule_that_forgets_what_it_keeps_is_an_error() -> None:
    class Forgetful(Momentum):
        @staticmethod
        def rule(p: Any, v: Any, g: Any, lr: Any, momentum: Any) -> Any:
            return (p,)

    with pytest.raises(ValueError, match=r"zip\(\)"):
        Forgetful().update({"W": np.ones(2)}, {"W": np.ones(2)})


@pytest.mark.parametrize("kind", MAKERS)
def test_long_vectors_are_taken_in_blocks(kind: type[Optimizer]) -> None:
    rng = np.random.default_rng(0)
    p, g = (rng.standard_normal(2 * BLOCK + 5).astype("float32") for _ in range(2))
    whole, apart, optimizer, other = {"W": p.copy()}, {"W": p[:, None].copy()}, MAKERS[kind](), MAKERS[kind]()
    for _ in range(3):
        optimizer.update(whole, {"W": g})
        other.update(apart, {"W": g[:, None]})
    np.testing.assert_array_equal(whole["W"], apart["W"][:, 0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:the inputs reach")
def test_divergence_puts_everything_back() -> None:
    rng, net, optimizer = np.random.default_rng(0), network(), Momentum(0.01)
    x, t = rng.standard_normal((90, 4)), rng.integers(0, 3, 90)
    list(Training(net, x, t, optimizer=optimizer, epochs=1, batch_size=30, rng=0))
    net.params["W1"] *= 1e6
    before = deepcopy((net.flat_params["flat"], optimizer.slots, optimizer.steps))
    x[:] = 1e306
    with pytest.raises(
        ArithmeticError, match="step 1: the first NaN or infinity is in the output of Affine1"
    ):
        list(Training(net, x, t, optimizer=optimizer, epochs=1, batch_size=30, rng=0))
    np.testing.assert_equal((net.flat_params["flat"], optimizer.slots, optimizer.steps), before)


def test_refused_parameters_and_gradients_name_the_optimizer() -> None:
    half, W = {"W": np.ones(2, "float16")}, {"W": np.ones(2)}
    with pytest.raises(TypeError, match="^Momentum: float16"):
        Momentum().init(half)
    with pytest.raises(ValueError, match="^Momentum: expected a gradient"):
        Momentum().update(W, {})
    W["W"].flags.writeable = False
    with pytest.raises(ValueError, match="^Momentum: W is read-only"):
        Momentum().update(W, {"W": np.ones(2)})
