"""Section 6.2.4: train one network from three kinds of initial weights, with SGD."""

import warnings

import numpy as np
from _common import Page

from backprop import SGD, MultiLayerNet, fit
from backprop.datasets import load_mnist
from backprop.diagnosis import LearningWarning

# The first one learns nothing, as in the book, and fit warns.
warnings.simplefilter("ignore", LearningWarning)
page = Page(__doc__)
train, _ = load_mnist(normalize=False)
steps = 200 if page.quick else 2000

curves = {}
for name, init in {"std 0.01": 0.01, "Xavier": "xavier", "He": "he"}.items():
    network = MultiLayerNet(784, [100, 100, 100, 100], 10, "relu", init, device=page.device, rng=page.seed)
    losses = []
    fit(
        network, *train, optimizer=SGD(0.01), iterations=steps, batch_size=128, sampling="with-replacement",
        rng=page.seed, progress=losses.append, progress_steps=1,
    )  # fmt: skip
    curves[name] = np.asarray([(p.step, p.loss) for p in losses])
    print(f"{name}: loss {losses[-1].loss:.3f} at step {losses[-1].step:,}")


def draw(ax):
    for (name, curve), marker in zip(curves.items(), "osD", strict=True):
        smooth = np.convolve(curve[:, 1], np.ones(50) / 50, "valid")
        ax.plot(curve[49:, 0], smooth, label=name, marker=marker, markevery=200, markersize=5, linewidth=1)
    ax.set(xlabel="step", ylabel="loss", ylim=(0, 2.5), title="Initial weights, means over 50 steps")
    ax.legend()


page.figure(draw, size=(6.5, 4.2))
for name, book in {"std 0.01": 2.305, "Xavier": 0.377, "He": 0.286}.items():
    curve = curves[name]
    near = curve[curve[:, 0] > 0.925 * steps][:100, 1]  # the book's figure is the loss of a single batch
    note = f"mean of {len(near)} batches, which go from {near.min():.3f} to {near.max():.3f}"
    page.row(f"ch. 6, {name}, loss near step 1,900", book, near.mean(), ".3f", note=note)
