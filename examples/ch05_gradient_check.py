"""Section 5.7.3: backpropagation against the numerical gradient, on three images of MNIST."""

import numpy as np
from _common import Page

from backprop import TwoLayerNet, check_gradients, numerical_gradient
from backprop.datasets import load_mnist

page = Page(__doc__)
(x, t), _ = load_mnist()
x, t = x[:3].astype("float64"), t[:3]
network = TwoLayerNet(784, 50, 10, dtype="float64", device=page.device, rng=page.seed)
asarray, to_numpy = network.backend.asarray, network.backend.to_numpy

# A report, on 50 entries of each array.
report = check_gradients(network, x, t, elements=50)
print(report)
assert report.passed

# Plain central differences with several steps h, on the same number of entries.
analytic = {name: to_numpy(value) for name, value in network.gradient(asarray(x), asarray(t)).items()}


def deviation(name: str, h: float) -> float:
    """The largest deviation of 50 entries, relative to the largest entry of all."""
    W = np.array(to_numpy(network.params[name]))
    chosen = np.random.default_rng(0).choice(W.size, min(50, W.size), replace=False)

    def loss(values: np.ndarray) -> float:
        changed = W.copy()
        changed.reshape(-1)[chosen] = values
        network.params[name] = asarray(changed)
        return float(to_numpy(network.loss(asarray(x), asarray(t))))

    numerical = numerical_gradient(loss, W.reshape(-1)[chosen], h)
    network.params[name] = asarray(W)
    deviations = np.abs(analytic[name].reshape(-1)[chosen] - numerical)
    return float(deviations.max() / np.abs(analytic[name]).max())


errors = {h: max(deviation(name, h) for name in analytic) for h in (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)}

# The book's check: every entry of every parameter, and the mean absolute difference.
differences = {}
if not page.quick:
    backward = network.gradient(asarray(x), asarray(t))
    numerical = network.numerical_gradient(asarray(x), asarray(t))
    for key in backward:
        differences[key] = np.abs(to_numpy(backward[key]) - to_numpy(numerical[key])).mean()
        print(f"{key}: {differences[key]:.1e}")


def draw(ax):
    ax.loglog(list(errors), list(errors.values()), "o-")
    ax.set(
        xlabel="step h of the difference", ylabel="largest relative error", title="Gradient check, float64"
    )
    ax.grid(alpha=0.3)


page.figure(draw)
for key, book in {"W1": 3e-10, "b1": 3e-9, "W2": 5e-9, "b2": 1.4e-7}.items():
    note = "" if key != "b2" else "the book's constant inside the logarithm, which this loss does not have"
    page.row(
        f"ch. 5, gradient check, {key}, mean difference",
        book,
        differences.get(key),
        ".1e",
        note=note,
        measured=True,
    )
for h, book in {1e-3: 2e-8, 1e-4: 3e-10, 1e-5: 3e-9}.items():
    page.row(
        f"ch. 5, gradient check, relative error at h = {h:.0e}, at most",
        book,
        errors[h],
        ".1e",
        measured=True,
    )
