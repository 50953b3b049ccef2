"""Optimizers and losses as users write them."""

from __future__ import annotations

import collections
import copy
import itertools
import random
from numbers import Real

import numpy as np

from backends import namespace_of
from backprop import SGD, Adam, Momentum, SoftmaxWithLoss
from backprop.optimizers import Optimizer

from .habits import other

# Optimizers.


@other("optimizer")
class functional_rule(Optimizer):
    """A rule that returns new arrays."""

    slot_names = ("v",)

    def __init__(self, m):
        super().__init__(0.05)

    @staticmethod
    def rule(p, v, g, lr):
        v = 0.9 * v - lr * g
        return p + v, v


@other("optimizer")
class half_functional_rule(Optimizer):
    """A rule that changes the parameter in place and returns a new slot."""

    slot_names = ("h",)

    def __init__(self, m):
        super().__init__(0.05)

    @staticmethod
    def rule(p, h, g, lr):
        h = 0.9 * h + 0.1 * g * g
        p -= lr * g / (h**0.5 + 1e-3)
        return p, h


@other("optimizer")
class rule_that_swaps_its_slots(Optimizer):
    """A rule that returns its slots in another order."""

    slot_names = ("a", "b")

    def __init__(self, m):
        super().__init__(0.05)

    @staticmethod
    def rule(p, a, b, g, lr):
        b = 0.5 * a + g
        p -= lr * b
        return p, b, a


@other("optimizer")
class rule_of_numpy(Optimizer):
    """A rule of NumPy's functions with `out=` and `where=`."""

    slot_names = ("v",)

    def __init__(self, m):
        super().__init__(0.05)

    @staticmethod
    def rule(p, v, g, lr):
        np.multiply(v, 0.9, out=v)
        np.subtract(v, lr * g, out=v, where=np.abs(g) > 1e-3)
        np.add(p, v, p)
        return p, v


@other("optimizer")
class rule_of_signs(Optimizer):
    """Lion: the sign of an average."""

    slot_names = ("m",)

    def __init__(self, m):
        super().__init__(0.01)

    @staticmethod
    def rule(p, m, g, lr):
        xp = namespace_of(p)
        p -= lr * xp.sign(0.9 * m + 0.1 * g)
        m *= 0.99
        m += 0.01 * g
        return p, m


@other("optimizer")
class rule_with_a_branch(Optimizer):
    """Rprop's beginning: a rule that looks at the gradient."""

    def __init__(self, m):
        super().__init__(0.05)

    @staticmethod
    def rule(p, g, lr):
        if abs(g).max() > 0.3:
            g = g * 0.5
        p -= lr * g
        return (p,)


@other("optimizer", plain=True)
class scalars_of_the_step(Optimizer):
    """A Python number that changes, given in `scalars`."""

    def __init__(self, m):
        super().__init__(0.1)

    def scalars(self, step):
        return self.rate(step), 1.0 / step

    @staticmethod
    def rule(p, g, lr, share):
        p -= lr * share * g
        return (p,)


@other("optimizer")
class scalars_that_count(Optimizer):
    """`scalars` that counts how often it is asked."""

    def __init__(self, m):
        super().__init__(0.1)
        self.asked = 0

    def scalars(self, step):
        self.asked += 1
        return (self.rate(step) / (1.0 + 0.1 * self.asked),)

    @staticmethod
    def rule(p, g, lr):
        p -= lr * g
        return (p,)


@other("optimizer")
class schedule_that_counts(SGD):
    """A schedule, an object, that counts how often it is asked."""

    def __init__(self, m):
        ticks = itertools.count(1)
        super().__init__(lambda step: 0.1 / next(ticks) ** 0.5)


@other("optimizer", shared=True)
class schedule_that_draws(SGD):
    """A schedule that draws from `random`."""

    def __init__(self, m):
        super().__init__(lambda step: random.choice((0.1, 0.05)))


@other("optimizer")
class counts_its_updates(SGD):
    """Halves the weights once, at an update."""

    def __init__(self, m):
        super().__init__(0.1)
        self.k, self.n = m.k, 0

    def apply(self, params, grads, slots, scalars):
        super().apply(params, grads, slots, scalars)
        self.n += 1
        if self.n == self.k:
            for key in params:
                params[key] *= 0.5


@other("optimizer")
class counts_in_the_class(SGD):
    """Counts its updates in an attribute that the class begins."""

    n = 0

    def __init__(self, m):
        super().__init__(0.1)
        self.k = m.k

    def apply(self, params, grads, slots, scalars):
        self.n += 1
        scale = 0.1 if self.n > self.k else 1.0
        super().apply(params, {key: g * scale for key, g in grads.items()}, slots, scalars)


@other("optimizer")
class decays_its_rate(Momentum):
    """`self.lr *= 0.99` in `apply`."""

    def __init__(self, m):
        super().__init__(0.1)

    def apply(self, params, grads, slots, scalars):
        super().apply(params, grads, slots, scalars)
        self.lr *= 0.99


@other("optimizer")
class apply_of_its_own(Optimizer):
    """An `apply` that does it all, by `params[key] -= …`."""

    def __init__(self, m):
        super().__init__(0.1)

    def apply(self, params, grads, slots, scalars):
        for key in params:
            params[key] -= 0.1 * grads[key]


@other("optimizer")
class apply_that_replaces(Optimizer):
    """An `apply` like the book's update, by `params[key] = params[key] - …`."""

    def __init__(self, m):
        super().__init__(0.1)
        self.v = None

    def apply(self, params, grads, slots, scalars):
        if self.v is None:
            self.v = {key: np.zeros_like(p) for key, p in params.items()}
        for key in params:
            self.v[key] = 0.9 * self.v[key] - 0.1 * grads[key]
            params[key] = params[key] + self.v[key]


@other("optimizer")
class book_momentum(Optimizer):
    """The book's Momentum, which keeps `v` in an attribute and changes it in place."""

    def __init__(self, m):
        super().__init__(0.1)
        self.v = None

    def apply(self, params, grads, slots, scalars):
        if self.v is None:
            self.v = {key: np.zeros_like(p) for key, p in params.items()}
        for key in params:
            self.v[key] *= 0.9
            self.v[key] -= 0.1 * grads[key]
            params[key] += self.v[key]


@other("optimizer")
class book_adam(Optimizer):
    """The book's Adam: `self.iter += 1`, and the rate from it."""

    def __init__(self, making):
        super().__init__(0.01)
        self.iter, self.m, self.v = 0, None, None

    def apply(self, params, grads, slots, scalars):
        if self.m is None:
            self.m = {key: np.zeros_like(p) for key, p in params.items()}
            self.v = {key: np.zeros_like(p) for key, p in params.items()}
        self.iter += 1
        lr = 0.01 * (1.0 - 0.999**self.iter) ** 0.5 / (1.0 - 0.9**self.iter)
        for key in params:
            self.m[key] += 0.1 * (grads[key] - self.m[key])
            self.v[key] += 0.001 * (grads[key] ** 2 - self.v[key])
            params[key] -= lr * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)


@other("optimizer")
class lookahead(Adam):
    """Every k updates the weights go half the way back to slow ones."""

    def __init__(self, m):
        super().__init__(0.02)
        self.k, self.n, self.slow = m.k, 0, None

    def apply(self, params, grads, slots, scalars):
        if self.slow is None:
            self.slow = {key: p.copy() for key, p in params.items()}
        super().apply(params, grads, slots, scalars)
        self.n += 1
        if self.n % self.k == 0:
            for key in params:
                self.slow[key] += 0.5 * (params[key] - self.slow[key])
                params[key][...] = self.slow[key]


@other("optimizer")
class averages_the_weights(SGD):
    """Keeps an average of the weights, which nothing but the user reads."""

    def __init__(self, m):
        super().__init__(0.1)
        self.average = None

    def apply(self, params, grads, slots, scalars):
        super().apply(params, grads, slots, scalars)
        flat = next(iter(params.values()))
        self.average = flat * 1.0 if self.average is None else 0.9 * self.average + 0.1 * flat


@other("optimizer")
class noise_on_the_gradient(Momentum):
    """Noise from a generator of its own."""

    def __init__(self, m):
        super().__init__(0.05)
        self.rng = np.random.default_rng(m.k)

    def apply(self, params, grads, slots, scalars):
        noisy = {
            key: g + (0.01 * self.rng.standard_normal(g.shape)).astype(g.dtype) for key, g in grads.items()
        }
        super().apply(params, noisy, slots, scalars)


@other("optimizer")
class rare_restarts(Momentum):
    """Forgets its velocity now and then."""

    def __init__(self, m):
        super().__init__(0.05)
        self.rng = random.Random(m.k)

    def apply(self, params, grads, slots, scalars):
        if self.rng.random() < 0.08:
            for slot in self.slots:
                self.slots[slot] *= 0.0
        super().apply(params, grads, slots, scalars)


@other("optimizer")
class clips_by_a_read_norm(SGD):
    """Clips by a norm that is read as a float."""

    def __init__(self, m):
        super().__init__(0.2)

    def apply(self, params, grads, slots, scalars):
        norm = float(sum((g * g).sum() for g in grads.values())) ** 0.5
        scale = min(1.0, 0.5 / (norm + 1e-12))
        super().apply(params, {key: g * scale for key, g in grads.items()}, slots, scalars)


@other("optimizer")
class clips_by_value(SGD):
    """`np.clip` of the gradients."""

    def __init__(self, m):
        super().__init__(0.2)

    def apply(self, params, grads, slots, scalars):
        super().apply(params, {key: np.clip(g, -0.05, 0.05) for key, g in grads.items()}, slots, scalars)


@other("optimizer")
class clips_in_place(SGD):
    """`np.clip` of the gradients into themselves."""

    def __init__(self, m):
        super().__init__(0.2)

    def apply(self, params, grads, slots, scalars):
        for g in grads.values():
            np.clip(g, -0.05, 0.05, out=g)
        super().apply(params, grads, slots, scalars)


@other("optimizer")
class skips_bad_steps(SGD):
    """Takes no step where the gradient is large."""

    def __init__(self, m):
        super().__init__(0.2)

    def apply(self, params, grads, slots, scalars):
        if max(float(abs(g).max()) for g in grads.values()) < 0.25:
            super().apply(params, grads, slots, scalars)


@other("optimizer")
class accumulates(SGD):
    """Takes a step every second time, with the sum of the gradients."""

    def __init__(self, m):
        super().__init__(0.1)
        self.sums, self.n = {}, 0

    def apply(self, params, grads, slots, scalars):
        self.n += 1
        for key, g in grads.items():
            self.sums[key] = self.sums.get(key, 0.0) + g
        if self.n % 2 == 0:
            super().apply(params, self.sums, slots, scalars)
            self.sums = {}


@other("optimizer")
class keeps_the_last_gradients(Momentum):
    """A deque of the last gradients."""

    def __init__(self, m):
        super().__init__(0.05)
        self.last = collections.deque(maxlen=3)

    def apply(self, params, grads, slots, scalars):
        self.last.append(dict(grads))
        super().apply(
            params, {key: 0.5 * (g + self.last[0][key]) for key, g in grads.items()}, slots, scalars
        )


@other("optimizer")
class resets_its_slots(Momentum):
    """New slots every k updates."""

    def __init__(self, m):
        super().__init__(0.05)
        self.k, self.n = m.k, 0

    def apply(self, params, grads, slots, scalars):
        super().apply(params, grads, slots, scalars)
        self.n += 1
        if self.n % self.k == 0:
            for slot, value in self.slots.items():
                self.slots[slot] = np.zeros_like(value)


@other("optimizer")
class two_updates_in_one(SGD):
    """`super().apply` twice."""

    def __init__(self, m):
        super().__init__(0.05)

    def apply(self, params, grads, slots, scalars):
        super().apply(params, grads, slots, scalars)
        super().apply(params, grads, slots, scalars)


@other("optimizer")
class another_inside(Optimizer):
    """Another optimizer inside."""

    def __init__(self, m):
        super().__init__(0.1)
        self.inner = Adam(0.02)

    def apply(self, params, grads, slots, scalars):
        self.inner.update(params, grads)


@other("optimizer")
class clipped_of_its_own(Momentum):
    """An override of `clipped` with a norm that adapts."""

    def __init__(self, m):
        super().__init__(0.1, max_norm=1.0)
        self.limit = 1.0

    def clipped(self, grads):
        self.limit *= 0.98
        return {key: g * self.limit for key, g in grads.items()}


@other("optimizer")
class loss_scale(SGD):
    """A `loss_scale` of its own, which grows."""

    def __init__(self, m):
        super().__init__(0.1)
        self.scale = 1.0

    def loss_scale(self, scalars):
        self.scale = min(self.scale * 1.1, 8.0)
        return self.scale

    def apply(self, params, grads, slots, scalars):
        super().apply(params, {key: g / self.scale for key, g in grads.items()}, slots, scalars)


# Losses: each is SoftmaxWithLoss with something more.


class _Loss(SoftmaxWithLoss):
    def __init__(self, m):
        super().__init__()
        self.k, self.calls = m.k, 0
        self.start(m)

    def start(self, m):
        """What it has besides."""


@other("loss")
class loss_that_counts(_Loss):
    """A loss that weighs its gradient by a count."""

    def forward(self, x, t, *, training=False):
        self.calls += training
        return super().forward(x, t, training=training)

    def backward(self, dout=1.0):
        return super().backward(dout) * (0.5 if self.calls > self.k else 1.0)


@other("loss")
class loss_that_is_annealed(_Loss):
    """A temperature that falls."""

    def start(self, m):
        self.temperature = 2.0

    def forward(self, x, t, *, training=False):
        if training:
            self.temperature = max(1.0, self.temperature * 0.95)
        return super().forward(x * (1.0 / self.temperature), t, training=training)


@other("loss")
class loss_with_weights_of_classes(_Loss):
    """Weights by the class of each sample, by fancy indexing."""

    def start(self, m):
        self.weights = m.rng.uniform(0.5, 1.5, 16).astype(m.dtype)

    def forward(self, x, t, *, training=False):
        labels = t if t.ndim == 1 else t.argmax(axis=1)
        self.of_samples = self.weights[labels]
        return super().forward(x, t, training=training)

    def backward(self, dout=1.0):
        return super().backward(dout) * self.of_samples[:, None]


@other("loss")
class loss_with_a_running_weight(_Loss):
    """Weights by how good the last batches were."""

    def start(self, m):
        self.weight = 1.0

    def forward(self, x, t, *, training=False):
        loss = super().forward(x, t, training=training)
        if training:
            self.weight = 0.9 * self.weight + 0.1 * float(loss)
        return loss

    def backward(self, dout=1.0):
        return super().backward(dout) * self.weight


@other("loss")
class loss_with_a_kept_array(_Loss):
    """Keeps the last loss as it is and adds it."""

    def start(self, m):
        self.last = 0.0

    def forward(self, x, t, *, training=False):
        loss = super().forward(x, t, training=training)
        if training:
            loss, self.last = loss + 0.1 * self.last, loss
        return loss


@other("loss")
class loss_of_hard_samples(_Loss):
    """The gradient of the harder half alone, by a sort."""

    def backward(self, dout=1.0):
        dx = super().backward(dout)
        hardness = abs(dx).sum(axis=1)
        easy = hardness.argsort(kind="stable")[: len(hardness) // 2]
        dx[easy] = 0.0
        return dx


@other("loss")
class loss_that_tells_numbers(_Loss):
    """`isinstance(dout, Real)`."""

    def backward(self, dout=1.0):
        dx = super().backward(dout)
        return dx if isinstance(dout, Real) else dx * 0.9


@other("loss")
class loss_that_smooths(_Loss):
    """Label smoothing that falls with the steps."""

    def start(self, m):
        self.epsilon = 0.2

    def backward(self, dout=1.0):
        dx = super().backward(dout)
        self.epsilon *= 0.98
        return dx * (1.0 - self.epsilon) + self.epsilon * dx.mean(axis=1, keepdims=True)


@other("loss")
class loss_with_a_log(_Loss):
    """A list of all losses."""

    def start(self, m):
        self.log = []

    def forward(self, x, t, *, training=False):
        loss = super().forward(x, t, training=training)
        if training:
            self.log.append(loss)
        return loss


@other("loss")
class loss_that_copies(_Loss):
    """A copy of x that is kept."""

    def forward(self, x, t, *, training=False):
        self.x = copy.copy(x)
        return super().forward(x, t, training=training)

    def backward(self, dout=1.0):
        return super().backward(dout) + 1e-3 * self.x


@other("loss")
class loss_with_a_rare_draw(_Loss):
    """Leaves a step out by chance."""

    def start(self, m):
        self.rng = np.random.default_rng(m.k)

    def backward(self, dout=1.0):
        dx = super().backward(dout)
        return dx * 0.0 if self.rng.random() < 0.08 else dx


@other("loss")
class loss_with_other_correct(_Loss):
    """Counts as correct what is among the two largest."""

    def correct(self, x, t):
        labels = t if t.ndim == 1 else t.argmax(axis=1)
        top = np.argsort(x, axis=1, kind="stable")[:, -2:]
        return (top == labels[:, None]).any(axis=1).sum()
