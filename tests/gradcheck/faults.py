"""Layers with planted faults, which the gradient check has to find."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends import Array, backend_of, get_backend, namespace_of, set_at
from backprop import Add, Affine, GradientReport, Layer, Mul, Network, ReLU, Sigmoid, SoftmaxWithLoss, Tanh
from backprop.layers.checks import check_dout


class WrongSign(Tanh):
    def backward(self, dout: Array) -> Array:
        return -super().backward(dout)


class MissingTranspose(Affine):
    def backward(self, dout: Array) -> Array:
        self.backward_params(dout)
        return namespace_of(dout).matmul(dout, self.params["W"])


class MissingTerm(Sigmoid):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.y = super().forward(x, training=training) * 1.0
        return self.y * 1.0

    def backward(self, dout: Array) -> Array:
        return dout * self.y


class IgnoresDout(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout * 0.0 + 1.0)


class MissingMean(SoftmaxWithLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(dout) * 4.0


class LossIgnoresDout(SoftmaxWithLoss):
    def backward(self, dout: Any = 1.0) -> Array:
        return super().backward(1.0)


class BiasForgotten(Affine):
    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        self.grads["b"] = self.grads["b"] * 0.0


class OneEntryWrong(Tanh):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        return set_at(dx, (0, 0), dx[0, 0] * (1.0 + 1e-5))


class Swapped(Mul):
    def backward(self, dout: Array) -> tuple[Array, Array]:
        return super().backward(dout)[::-1]


class HalfOfAdd(Add):
    def backward(self, dout: Array) -> tuple[Array, Array]:
        return dout, 0.5 * dout


class WritesIntoDout(ReLU):
    def backward(self, dout: Array) -> Array:
        dout[...] = super().backward(dout)
        return dout


class WritesIntoInput(ReLU):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        x[...] = super().forward(x, training=training)
        return x


class AlwaysSingle(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        xp = namespace_of(x)
        return xp.astype(xp.astype(super().forward(x, training=training), xp.float32), x.dtype)


class AlwaysDouble(Tanh):
    def backward(self, dout: Array) -> Array:
        xp = namespace_of(dout)
        return xp.astype(super().backward(dout), xp.float64)


class KeepsInInference(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=True)


class Accumulates(Affine):
    def backward_params(self, dout: Array) -> None:
        before = self.grads.get("W")
        super().backward_params(dout)
        if before is not None:
            self.grads["W"] = self.grads["W"] + before


class OtherParamsAlone(Affine):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        super().backward_params(dout)
        return dx

    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        self.grads["W"] = 2.0 * self.grads["W"]


class NotANumber(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) * float("nan")


class NotZeroAtZero(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) + 1e-9


class NotLinear(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout) + 1e-8 * dout * dout


class DependsOnLayout(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        y = super().forward(x, training=training)
        strides = x.stride() if hasattr(x, "stride") else getattr(getattr(x, "_array", x), "strides", None)
        step = strides[-1] if hasattr(x, "stride") else strides[-1] // 8  # type: ignore[index]
        return y * (1.0 if step == 1 else 1.0 + 0.0) if not training else self._keep(y, step)

    def _keep(self, y: Array, step: int) -> Array:
        self.saved = y if step == 1 else y * 0.5
        return y


class Remembers(Tanh):
    def backward(self, dout: Array) -> Array:
        self.calls = getattr(self, "calls", 0) + 1
        return super().backward(dout) * (1.0 + 1e-9 * self.calls)


class Draws(Tanh):
    """Something else every time, which backward does not know of."""

    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=training) + 1e3 * float(DRAW.random())


DRAW = np.random.default_rng(0)


class RoundsInSingle(Tanh):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        return dx if "64" in str(dx.dtype) else dx * 1.001


class OtherShapeInSingle(Tanh):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        return dx if "64" in str(dx.dtype) else namespace_of(dx).reshape(dx, (4, 3))


class SmallOneRoundsInSingle(Layer):
    """y = x + b/100, whose gradients for x and b are of very different sizes."""

    def __init__(self) -> None:
        super().__init__(b=np.ones((3, 4)))

    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = x if training else None
        return x + 0.01 * self.params["b"]

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        self.grads["b"] = dout * (0.01 if "64" in str(dout.dtype) else 0.01002)
        return dout * 1.0

    @classmethod
    def case(cls, rng: np.random.Generator) -> Any:
        return cls(), rng.standard_normal((3, 4))


class LeavesTheBackend(Tanh):
    def backward(self, dout: Array) -> Any:
        other = get_backend("strict:device2" if backend_of(dout).name != "strict" else "cpu")
        return other.asarray(backend_of(dout).to_numpy(super().backward(dout)))


class ForgetsBias(Affine):
    def backward_params(self, dout: Array) -> None:
        super().backward_params(dout)
        del self.grads["b"]


class ReturnsNothing(Tanh):
    def backward(self, dout: Array) -> Array:
        super().backward(dout)
        return None


class WrongShape(Tanh):
    def backward(self, dout: Array) -> Array:
        return super().backward(dout)[0, :]


class Raises(Tanh):
    def backward(self, dout: Array) -> Array:
        raise ZeroDivisionError("no luck")


class RaisesInSingle(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        if "32" in str(x.dtype):
            raise TypeError("too narrow")
        return super().forward(x, training=training)


class ExtraGradient(Tanh):
    def backward(self, dout: Array) -> Array:
        self.grads["extra"] = dout * 1.0
        return super().backward(dout)


class OtherShapeInTraining(Layer):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        self.saved = x if training else None
        xp = namespace_of(x)
        return xp.reshape(x * 1.0, (-1,) if training else (1, -1))

    def backward(self, dout: Array) -> Array:
        check_dout(self.name, dout, self.saved)
        return namespace_of(dout).reshape(dout * 1.0, self.saved.shape)

    @classmethod
    def case(cls, rng: np.random.Generator) -> Any:
        return cls(), rng.standard_normal((1, 4))


class OtherInInference(Tanh):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return super().forward(x, training=training) * (1.0 if training else 2.0)


class NeedsNoForward(Layer):
    def forward(self, x: Array, *, training: bool = False) -> Array:
        return x * 2.0

    def backward(self, dout: Array) -> Array:
        return dout * 2.0

    @classmethod
    def case(cls, rng: np.random.Generator) -> Any:
        return cls(), rng.standard_normal((3, 4))


class WritesIntoParameter(Affine):
    def backward(self, dout: Array) -> Array:
        dx = super().backward(dout)
        self.params["b"] = self.params["b"] + 1.0
        return dx


def stack(rng: np.random.Generator, *middle: Layer, loss: Any = None) -> tuple[Network, Any, Any]:
    """Layers of width 3 between two affine ones, with data."""
    first, last = (Affine(rng.standard_normal(shape), np.zeros(shape[1])) for shape in ((4, 3), (3, 2)))
    return Network([first, *middle, last], loss), rng.standard_normal((5, 4)), rng.integers(0, 2, 5)


def verdicts(report: GradientReport) -> dict[str, str]:
    return {f"{entry.layer}.{entry.parameter}": entry.verdict for entry in report.entries}
