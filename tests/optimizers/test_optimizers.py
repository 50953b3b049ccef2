"""Optimizers against PyTorch's, against the book's formulas, and what is asked of all of them."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

import backprop.optimizers.optimizers
from backends import Backend, get_backend
from backends.numpy.fusion import BLOCK
from backprop import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Affine,
    Momentum,
    Nesterov,
    Network,
    Optimizer,
    ReLU,
    RMSprop,
    Training,
)
from backprop.optimizers.optimizers import OPTIMIZERS
from backprop.schedules import Constant, Cosine, Step, WarmUp

STEPS = 100


def test_all_are_listed() -> None:
    kinds = {
        kind
        for kind in vars(backprop.optimizers).values()
        if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
    }
    assert set(OPTIMIZERS.values()) == kinds == set(MAKERS)


def gradients(seed: int = 0) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [{"W": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)} for _ in range(STEPS)]


def start() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {"W": rng.standard_normal((4, 3)), "b": rng.standard_normal(3)}


def ours(optimizer: Optimizer, backend: Backend | str = "cpu") -> dict[str, np.ndarray]:
    backend = get_backend(backend)
    params = {key: backend.asarray(value.copy()) for key, value in start().items()}
    for grads in gradients():
        optimizer.update(params, {key: backend.asarray(value) for key, value in grads.items()})
    return {key: backend.to_numpy(value) for key, value in params.items()}


MAKERS: dict[type[Optimizer], Callable[..., Optimizer]] = {
    SGD: lambda **o: SGD(0.1, **o),
    Momentum: lambda **o: Momentum(0.1, 0.8, **o),
    Nesterov: lambda **o: Nesterov(0.1, 0.8, **o),
    AdaGrad: lambda **o: AdaGrad(0.1, **o),
    RMSprop: lambda **o: RMSprop(0.01, 0.9, **o),
    Adam: lambda **o: Adam(0.01, 0.8, 0.99, **o),
    AdamW: lambda **o: AdamW(0.01, 0.8, 0.99, weight_decay=0.3, **o),
}


def by_the_book(name: str) -> dict[str, np.ndarray]:
    """The formulas of chapter 6, one parameter at a time, in float64."""
    params = start()
    m = {key: np.zeros_like(p) for key, p in params.items()}
    v = {key: np.zeros_like(p) for key, p in params.items()}
    for t, grads in enumerate(gradients(), 1):
        for key, g in grads.items():
            p = params[key]
            if name == "SGD":
                p -= 0.1 * g
            elif name == "Momentum":
                m[key] = 0.8 * m[key] - 0.1 * g
                p += m[key]
            elif name == "Nesterov":  # v before its change, as in the paper's equation 7
                p += 0.8 * 0.8 * m[key] - (1.0 + 0.8) * 0.1 * g
                m[key] = 0.8 * m[key] - 0.1 * g
            elif name == "AdaGrad":
                v[key] += g * g
                p -= 0.1 * g / (np.sqrt(v[key]) + 1e-7)
            elif name == "RMSprop":
                v[key] = 0.9 * v[key] + 0.1 * g * g
                p -= 0.01 * g / (np.sqrt(v[key]) + 1e-7)
            elif name == "Adam":
                rate = 0.01 * math.sqrt(1.0 - 0.99**t) / (1.0 - 0.8**t)
                m[key] += (1.0 - 0.8) * (g - m[key])
                v[key] += (1.0 - 0.99) * (g * g - v[key])
                p -= rate * m[key] / (np.sqrt(v[key]) + 1e-7)
            elif name == "AdamW":  # not in the book: algorithm 2 of Loshchilov and Hutter
                m[key] += (1.0 - 0.8) * (g - m[key])
                v[key] += (1.0 - 0.99) * (g * g - v[key])
                p -= 0.01 * 0.3 * p
                p -= 0.01 * (m[key] / (1.0 - 0.8**t)) / (np.sqrt(v[key] / (1.0 - 0.99**t)) + 1e-8)
    return params


@pytest.mark.parametrize("kind", MAKERS)
def test_the_book_s_formula(kind: type[Optimizer], backend: Backend) -> None:
    found = ours(MAKERS[kind](), backend)
    for key, expected in by_the_book(kind.__name__).items():
        np.testing.assert_allclose(found[key], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["AdaGrad", "RMSprop", "Adam", "AdamW"])
def test_epsilon_in_the_first_step(name: str) -> None:
    """ε as large as the gradient, so that it shows where it stands."""
    optimizer = OPTIMIZERS[name.lower()](0.1, epsilon=0.5)
    params = {"W": np.asarray([2.0])}
    optimizer.update(params, {"W": np.asarray([0.5])})
    expected = {
        "AdaGrad": 2.0 - 0.1 * 0.5 / (0.5 + 0.5),
        "RMSprop": 2.0 - 0.1 * 0.5 / (math.sqrt(0.01) * 0.5 + 0.5),
        "Adam": 2.0 - 0.1 * math.sqrt(0.001) * 0.5 / (math.sqrt(0.001) * 0.5 + 0.5),
        "AdamW": 2.0 * (1.0 - 0.1 * 0.01) - 0.1 * 0.5 / (0.5 + 0.5),
    }
    np.testing.assert_allclose(params["W"], expected[name], rtol=1e-12)


DEFAULTS: dict[type[Optimizer], dict[str, Any]] = {
    SGD: {"lr": 0.01},
    Momentum: {"lr": 0.01, "momentum": 0.9},
    Nesterov: {"lr": 0.01, "momentum": 0.9},
    AdaGrad: {"lr": 0.01, "epsilon": 1e-7},
    RMSprop: {"lr": 0.01, "decay_rate": 0.99, "epsilon": 1e-7},
    Adam: {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7},
    AdamW: {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01},
}


@pytest.mark.parametrize("kind", MAKERS)
def test_defaults(kind: type[Optimizer]) -> None:
    assert vars(kind()) == {**DEFAULTS[kind], "max_norm": None}
    assert vars(kind(max_norm=0.5)) == {**DEFAULTS[kind], "max_norm": 0.5}
    optimizer = kind(**DEFAULTS[kind])  # every setting has its own name
    optimizer.update({"W": np.ones(3)}, {"W": np.ones(3)})
    assert repr(optimizer) == repr(kind())  # what it has gathered is no setting


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


def test_what_the_loss_is_multiplied_with() -> None:
    for kind in MAKERS:
        plain, clipped = kind(0.2).dout([0.2]), kind(0.2, max_norm=3.0).dout([0.2])
        assert (plain, clipped) == (0.2 if kind is SGD else 1.0, 1.0)


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


@pytest.mark.only("torch")
@pytest.mark.parametrize("kind", MAKERS)
def test_pytorch_s(kind: type[Optimizer], backend: Backend) -> None:
    """To 1e-10 in float64. Adam's ε stands elsewhere in PyTorch, so its ε is tiny here."""
    import torch

    theirs: dict[Any, Callable[[Any], Any]] = {
        SGD: lambda p: torch.optim.SGD(p, 0.1),
        Momentum: lambda p: torch.optim.SGD(p, 0.1, momentum=0.8),
        Nesterov: lambda p: torch.optim.SGD(p, 0.1, momentum=0.8, nesterov=True),
        AdaGrad: lambda p: torch.optim.Adagrad(p, 0.1, eps=1e-7),
        RMSprop: lambda p: torch.optim.RMSprop(p, 0.01, alpha=0.9, eps=1e-7),
        Adam: lambda p: torch.optim.Adam(p, 0.01, betas=(0.8, 0.99), eps=1e-30),
        AdamW: lambda p: torch.optim.AdamW(p, 0.01, betas=(0.8, 0.99), eps=1e-3, weight_decay=0.3),
    }
    options = {Adam: {"epsilon": 1e-30}, AdamW: {"epsilon": 1e-3}}.get(kind, {})
    found = ours(MAKERS[kind](**options), backend)
    params = {key: torch.tensor(value, requires_grad=True) for key, value in start().items()}
    optimizer = theirs[kind](params.values())
    for grads in gradients():
        for key, p in params.items():
            p.grad = torch.tensor(grads[key])
        optimizer.step()
    for key, p in params.items():
        np.testing.assert_allclose(found[key], p.detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", MAKERS)
def test_float32_stays(kind: type[Optimizer], backend: Backend) -> None:
    optimizer = MAKERS[kind]()
    params = {"W": backend.asarray(np.ones(3), dtype="float32")}
    for _ in range(2):
        optimizer.update(params, {"W": backend.asarray(np.arange(3.0), dtype="float32")})
    for array in (params["W"], *optimizer.slots.values()) if optimizer.kept else (params["W"],):
        assert array.dtype == backend.dtype("float32")
        assert backend.owns(array)


@pytest.mark.parametrize("kind", MAKERS)
def test_gradients_are_not_changed(kind: type[Optimizer]) -> None:
    g = np.arange(3.0)
    g.flags.writeable = False
    MAKERS[kind](max_norm=0.5).update({"W": np.ones(3)}, {"W": g})
    np.testing.assert_array_equal(g, np.arange(3.0))


def network(backend: Backend | str = "cpu") -> Network:
    backend, rng = get_backend(backend), np.random.default_rng(1)
    first = Affine(rng.standard_normal((4, 8)), np.zeros(8))
    second = Affine(rng.standard_normal((8, 3)), np.zeros(3))
    return Network([first, ReLU(), second]).to(device=backend)


def trained(
    optimizer: Optimizer, backend: Backend | str, capture: bool, epochs: tuple[int, ...] = (4,)
) -> Any:
    rng, net = np.random.default_rng(0), network(backend)
    x, t = rng.standard_normal((90, 4)), rng.integers(0, 3, 90)
    for i, n in enumerate(epochs):
        list(Training(net, x, t, optimizer=optimizer, epochs=n, batch_size=20, rng=i, capture=capture))
    return net.backend.to_numpy(net.flat_params["flat"])


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
    for key, value in getattr(optimizer, "slots", {}).items():
        np.testing.assert_array_equal(value, other.slots[key])


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (np.ones(4), r"shape \(3,\), not \(4,\)"),
        (np.ones(3, "float32"), "dtype float64, not float32"),
        (get_backend("strict").asarray(np.ones(3)), r"device numpy \(cpu\), not strict \(device1\)"),
    ],
)
def test_an_optimizer_of_another_network_is_refused(other: Any, difference: str) -> None:
    optimizer = Adam()
    optimizer.update({"W": np.ones(3)}, {"W": np.ones(3)})
    with pytest.raises(
        ValueError, match=rf"Adam: .* used for other parameters, with W of {difference}; make a new one for"
    ):
        optimizer.update({"W": other}, {"W": other})


def test_what_is_kept_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, params = Adam(), {"W": np.ones(3)}
    optimizer.prepare(params)
    monkeypatch.setattr(backprop.optimizers.optimizers, "namespace_of", None)
    optimizer.prepare(params)


def test_an_update_of_one_s_own_is_the_step() -> None:
    class Own(Optimizer):
        def update(self, params: Any, grads: Any) -> None:
            params["W"] -= 0.5 * grads["W"]

    params = {"W": np.ones(2)}
    Own().step(params, {"W": np.asarray([1.0, 4.0])}, {}, ())
    np.testing.assert_array_equal(params["W"], [0.5, -1.0])


@pytest.mark.parametrize("kind", MAKERS)
def test_an_update_around_that_of_the_class(kind: type[Optimizer], backend: Backend) -> None:
    """Half the gradient by an `update` that calls the class's: in `fit`, and as half the loss."""

    class Half(kind):  # type: ignore[misc,valid-type]
        def update(self, params: Any, grads: Any) -> None:
            super().update(params, {key: 0.5 * g for key, g in grads.items()})

    class Halved(kind):  # type: ignore[misc,valid-type]
        def dout(self, numbers: Any) -> Any:
            return 0.5 * super().dout(numbers)

    def optimizer(kind: type[Optimizer]) -> Optimizer:
        return kind(lambda step: 0.1 / step)

    halved = trained(optimizer(Halved), backend, False, (2, 1))
    for capture in (True, False):
        half = optimizer(Half)
        np.testing.assert_allclose(trained(half, backend, capture, (2, 1)), halved, rtol=1e-9, atol=1e-12)
        assert half.steps == 15


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


def test_clipping_scales_all_gradients_alike(backend: Backend) -> None:
    grads = {"W": backend.asarray([[3.0, 0.0]]), "b": backend.asarray([4.0])}
    for max_norm, scale in ((1.0, 0.2), (4.999, 4.999 / 5.0), (5.0, 1.0), (100.0, 1.0)):
        clipped = SGD(1.0, max_norm=max_norm).clipped(grads)
        np.testing.assert_allclose(backend.to_numpy(clipped["W"]), [[3.0 * scale, 0.0]], rtol=1e-12)
        np.testing.assert_allclose(backend.to_numpy(clipped["b"]), [4.0 * scale], rtol=1e-12)
    zero = SGD(1.0, max_norm=1.0).clipped({"W": backend.asarray([0.0, 0.0])})
    np.testing.assert_array_equal(backend.to_numpy(zero["W"]), [0.0, 0.0])


@pytest.mark.parametrize(
    "lr", [Step(0.1, every=3, factor=0.5), Cosine(0.1, 20, 0.01), WarmUp(Constant(0.1), 5)]
)
def test_a_schedule_is_followed_in_fit(lr: Any, backend: Backend) -> None:
    captured, called = (trained(SGD(lr), backend, capture) for capture in (True, False))
    np.testing.assert_allclose(captured, called, rtol=1e-12)
    params, net = {"W": np.zeros(1)}, SGD(lr)
    for _ in range(20):
        net.update(params, {"W": np.ones(1)})
    np.testing.assert_allclose(params["W"], [-sum(lr(step) for step in range(1, 21))])


def test_schedules() -> None:
    assert [Step(1.0, 2, 0.1)(step) for step in (1, 2, 3, 4, 5)] == pytest.approx([1.0, 1.0, 0.1, 0.1, 0.01])
    cosine = Cosine(1.0, 5, 0.2)
    assert [cosine(step) for step in (1, 2, 3, 5, 9)] == pytest.approx(
        [1.0, 0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2, 0.6, 0.2, 0.2]
    )
    assert Cosine(1.0, 1)(1) == 1.0
    assert [Step(1.0, np.int64(2))(3), Cosine(1.0, np.int32(5))(5)] == pytest.approx([0.1, 0.0])
    warm = WarmUp(Cosine(1.0, 3), np.int64(4))
    assert [warm(step) for step in range(1, 9)] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.0, 0.0])
    for make, message in [
        (lambda: Constant(-1.0), "Constant: expected a finite rate of at least 0, got -1.0"),
        (lambda: Step(0.1, 0), "Step: expected every to be a whole number of at least 1, got 0"),
        (lambda: Step(0.1, 3, 1.5), "Step: expected a factor above 0 and at most 1, got 1.5"),
        (lambda: Cosine(0.1, 5, math.nan), "Cosine: expected a finite rate of at least 0, got nan"),
        (lambda: Cosine(0.1, 5, 0.2), "Cosine: expected lowest to be at most lr, 0.1, got 0.2"),
        (lambda: Cosine(0.1, 2.5), "Cosine: expected steps to be a whole number"),
        (lambda: WarmUp(0.1, 5), r"WarmUp: expected a schedule, such as Constant\(0.1\), got 0.1"),
        (lambda: WarmUp(Constant(0.1), 0), "WarmUp: expected steps to be a whole number"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            make()


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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("max_norm", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("size", [1e-30, 1e-22, 1.0, 1e22, 1e30])
def test_clipping_where_squares_overflow_or_vanish(
    size: float, max_norm: float, dtype: str, backend: Backend
) -> None:
    values = {"W": np.asarray([[3.0, -0.5], [0.0, 1.0]]) * size, "b": np.asarray([-4.0]) * size}
    grads = {key: backend.asarray(value, dtype=dtype) for key, value in values.items()}
    clipped = SGD(1.0, max_norm=max_norm).clipped(grads)
    norm = math.sqrt(sum(float((value * value).sum()) for value in values.values()))
    for key, value in values.items():
        expected = value * min(1.0, max_norm / norm)
        np.testing.assert_allclose(backend.to_numpy(clipped[key]), expected, rtol=1e-5)
        assert clipped[key].dtype == backend.dtype(dtype)
    if norm <= max_norm:
        for key, g in grads.items():  # not even rounded
            np.testing.assert_array_equal(backend.to_numpy(clipped[key]), backend.to_numpy(g))


@pytest.mark.parametrize("max_norm", [1e-60, 1e60])
def test_a_max_norm_that_the_dtype_cannot_hold(max_norm: float, backend: Backend) -> None:
    g = {"W": backend.asarray([0.0, 3.0], dtype="float32")}
    clipped = backend.to_numpy(SGD(1.0, max_norm=max_norm).clipped(g)["W"])
    assert clipped[0] == 0.0
    assert clipped[1] == 3.0 if max_norm > 1.0 else 0.0 <= clipped[1] < 1e-37


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_clipping_what_is_not_finite(bad: float, backend: Backend) -> None:
    grads = {"W": backend.asarray([1.0, bad]), "b": backend.asarray([2.0])}
    for value in SGD(1.0, max_norm=0.5).clipped(grads).values():
        assert np.isnan(backend.to_numpy(value)).all()


@pytest.mark.only("torch")
def test_clipping_is_pytorch_s(backend: Backend, rng: np.random.Generator) -> None:
    import torch

    for size in (1e-30, 1e-3, 1e2, 1e10):  # beyond, its own squares overflow
        values = [
            torch.tensor(size * rng.standard_normal(shape), dtype=torch.float32) for shape in (5, (2, 3))
        ]
        ours = SGD(1.0, max_norm=1.0).clipped(dict(zip("ab", values, strict=True)))
        params = [torch.zeros_like(value, requires_grad=True) for value in values]
        for p, value in zip(params, values, strict=True):
            p.grad = value.clone()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        for p, found in zip(params, ours.values(), strict=True):
            torch.testing.assert_close(found, p.grad, rtol=1e-5, atol=0.0)


def test_an_extra_gradient_does_not_count() -> None:
    params = {"W": np.zeros(2)}
    SGD(1.0, max_norm=1.0).update(params, {"W": np.asarray([0.0, 0.5]), "b": np.asarray([100.0])})
    np.testing.assert_array_equal(params["W"], [0.0, -0.5])


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
    kept = {f"{name}.W": np.zeros(2) for name in optimizer.kept}
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


def data(net: Network, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return net.backend.asarray(rng.standard_normal((30, 4))), net.backend.asarray(rng.integers(0, 3, 30))


def by_hand(optimizer: Optimizer, net: Network, steps: int) -> None:
    for i in range(steps):
        optimizer.update(net.params, net.gradient(*data(net, i)))


def in_fit(optimizer: Optimizer, net: Network, capture: bool = True) -> None:
    list(Training(net, *data(net), optimizer=optimizer, epochs=2, batch_size=10, rng=0, capture=capture))


ANOTHER = "this optimizer has been used for another network; make a new one for every network"


@pytest.mark.parametrize("kind", MAKERS)
def test_an_optimizer_has_one_network(kind: type[Optimizer], backend: Backend) -> None:
    """Also where the other has the same shapes, whichever of fit and update it was, and the first is gone."""
    for first in (in_fit, lambda optimizer, net: by_hand(optimizer, net, 2)):
        optimizer = MAKERS[kind]()
        first(optimizer, network(backend))
        steps, other = optimizer.steps, network(backend)
        before = backend.to_numpy(other.flat_params["flat"]).copy()
        for use in (lambda: in_fit(optimizer, other), lambda: by_hand(optimizer, other, 1)):  # noqa: B023
            with pytest.raises(ValueError, match=f"^{kind.__name__}: {ANOTHER}$"):
                use()
        np.testing.assert_array_equal(backend.to_numpy(other.flat_params["flat"]), before)
        assert optimizer.steps == steps


def test_a_copy_of_a_network_is_another_one() -> None:
    net, optimizer = network(), Adam()
    in_fit(optimizer, net)
    for other in (deepcopy(net), net.to(dtype="float64")):
        with pytest.raises(ValueError, match=ANOTHER):
            in_fit(optimizer, other)
    in_fit(optimizer, net)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_copy_of_an_optimizer_goes_on(kind: type[Optimizer], backend: Backend) -> None:
    """With a network of its own, as if nothing had happened."""
    copies: list[Callable[[Optimizer], Optimizer]] = [deepcopy, lambda o: pickle.loads(pickle.dumps(o))]
    for copied in copies:
        net, optimizer = network(backend), MAKERS[kind]()
        in_fit(optimizer, net)
        other, clone = deepcopy(net), copied(optimizer)
        assert type(vars(clone).get("slots", {})) is dict
        for use in (in_fit, lambda o, n: by_hand(o, n, 2)):
            use(optimizer, net)
            use(clone, other)
        assert clone.steps == optimizer.steps
        flat = [backend.to_numpy(n.flat_params["flat"]) for n in (net, other)]
        np.testing.assert_array_equal(*flat)


@pytest.mark.parametrize("order", ["fit, then by hand", "by hand, then fit"])
@pytest.mark.parametrize("kind", MAKERS)
def test_fit_and_update_by_hand_are_one_run(kind: type[Optimizer], order: str, backend: Backend) -> None:
    """What is kept goes over from the whole vector to the named arrays and back."""
    one, other = network(backend), network(backend)
    mixed, alone = MAKERS[kind](), MAKERS[kind]()
    if order.startswith("by hand"):
        by_hand(mixed, one, 3)
    in_fit(mixed, one)
    by_hand(mixed, one, 3)
    in_fit(mixed, one)
    if order.startswith("by hand"):
        by_hand(alone, other, 3)
    for part in ("fit", "hand", "fit"):
        if part == "hand":
            by_hand(alone, other, 3)
            continue
        generator, (x, t) = np.random.default_rng(0), data(other)
        x, t = backend.to_numpy(x), backend.to_numpy(t)
        for _ in range(2):
            rows = generator.permutation(30)
            for i in range(0, 30, 10):
                batch = (backend.asarray(values[rows[i : i + 10]]) for values in (x, t))
                alone.update(other.params, other.gradient(*batch))
    found, expected = (backend.to_numpy(net.flat_params["flat"]) for net in (one, other))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert mixed.steps == alone.steps


def test_plain_dicts_after_fit_are_refused() -> None:
    net, optimizer = network(), Momentum()
    in_fit(optimizer, net)
    with pytest.raises(ValueError, match="has been used in fit, for a whole network; give network.params"):
        optimizer.update(dict(net.params), net.gradient(*data(net)))


def test_fit_after_other_parameters_is_refused() -> None:
    optimizer = Momentum()
    optimizer.update({"V": np.ones(2)}, {"V": np.ones(2)})
    with pytest.raises(ValueError, match=r"used for other parameters, v\.V; make a new one"):
        in_fit(optimizer, network())
    optimizer = Momentum()
    optimizer.update({"W1": np.ones(2)}, {"W1": np.ones(2)})
    with pytest.raises(ValueError, match=r"with v\.W1 of shape \(2,\), not \(4, 8\)"):
        in_fit(optimizer, network())


class Functional(Momentum):
    """Momentum as a textbook writes it: new arrays."""

    @staticmethod
    def rule(p: Any, v: Any, g: Any, lr: Any, momentum: Any) -> Any:
        v = momentum * v - lr * g
        return p + v, v


class Swapped(Optimizer):
    """Results that are one another's places."""

    kept = ("v",)

    @staticmethod
    def rule(p: Any, v: Any, g: Any, lr: Any) -> Any:
        return v, p


@pytest.mark.parametrize("capture", [True, False])
def test_a_rule_that_returns_new_arrays_in_fit(capture: bool, backend: Backend) -> None:
    found, expected = (trained(kind(0.1, 0.8), backend, capture, (2, 1)) for kind in (Functional, Momentum))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n", [3, BLOCK, 2 * BLOCK + 5])
def test_a_rule_that_returns_new_arrays(n: int, backend: Backend, rng: np.random.Generator) -> None:
    start, gradient = rng.standard_normal(n), rng.standard_normal(n)
    found = []
    for kind in (Functional, Momentum):
        params, optimizer = {"W": backend.asarray(start.copy())}, kind(0.1, 0.8)
        optimizer.prepare(params)
        kept = optimizer.slots["v.W"]
        for _ in range(3):
            optimizer.update(params, {"W": backend.asarray(gradient)})
        assert (optimizer.slots["v.W"] is kept) or not backend.has_views
        found.append([backend.to_numpy(array) for array in (params["W"], optimizer.slots["v.W"])])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n", [3, 2 * BLOCK + 5])
def test_a_rule_that_swaps(n: int, backend: Backend) -> None:
    params, optimizer = {"W": backend.asarray(np.ones(n))}, Swapped()
    for expected in (0.0, 1.0, 0.0):
        optimizer.update(params, {"W": backend.asarray(np.ones(n))})
        assert set(backend.to_numpy(params["W"]).tolist()) == {expected}
        assert set(backend.to_numpy(optimizer.slots["v.W"]).tolist()) == {1.0 - expected}


def test_what_is_kept_keeps_its_place(backend: Backend) -> None:
    net, optimizer = network(backend), Adam()
    in_fit(optimizer, net)
    places = dict(optimizer.slots)
    optimizer.slots["m.flat"] = backend.xp.ones_like(places["m.flat"])
    optimizer.slots["v.flat"] = 2.0
    assert all(optimizer.slots[key] is place for key, place in places.items())
    assert set(backend.to_numpy(places["m.flat"]).tolist()) == {1.0}
    assert set(backend.to_numpy(places["v.flat"]).tolist()) == {2.0}
    optimizer.slots = {"m.flat": backend.xp.full_like(places["m.flat"], 3.0)}
    assert all(optimizer.slots[key] is place for key, place in places.items())
    assert set(backend.to_numpy(places["m.flat"]).tolist()) == {3.0}
    assert set(backend.to_numpy(places["v.flat"]).tolist()) == {0.0}
    with pytest.raises(KeyError, match=r"no array 'm\.W1' here: there are m\.flat, v\.flat"):
        optimizer.slots = {"m.W1": places["m.flat"]}


def test_slots_set_between_fits_are_used(backend: Backend) -> None:
    """A reset is a new optimizer, but for its count."""
    found = []
    for reset in (True, False):
        net, optimizer = network(backend), Momentum(0.1)
        in_fit(optimizer, net)
        if reset:
            optimizer.slots = {}
        else:
            optimizer = Momentum(0.1)
        in_fit(optimizer, net)
        found.append(backend.to_numpy(net.flat_params["flat"]))
    np.testing.assert_array_equal(*found)
