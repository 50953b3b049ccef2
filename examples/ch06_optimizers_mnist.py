"""Section 6.1.8: four optimizers train the same network, four hidden layers of 100, on MNIST."""

import numpy as np
from _common import Page

from backprop import SGD, AdaGrad, Adam, Momentum, MultiLayerNet, fit
from backprop.datasets import load_mnist

page = Page(__doc__)
train, _ = load_mnist(normalize=False)
steps = 200 if page.quick else 2000

curves = {}
for optimizer in SGD(), Momentum(), AdaGrad(), Adam():  # with the book's learning rates
    network = MultiLayerNet(784, [100, 100, 100, 100], 10, device=page.device, rng=page.seed)
    losses = []
    fit(
        network, *train, optimizer=optimizer, iterations=steps, batch_size=128, sampling="with-replacement",
        rng=page.seed, progress=losses.append, progress_steps=1,
    )  # fmt: skip
    curves[type(optimizer).__name__] = np.asarray([(p.step, p.loss) for p in losses])
    print(f"{optimizer}: loss {losses[-1].loss:.3f} at step {losses[-1].step:,}")


def draw(ax):
    for (name, curve), marker in zip(curves.items(), "osDx", strict=True):
        smooth = np.convolve(curve[:, 1], np.ones(50) / 50, "valid")
        ax.plot(curve[49:, 0], smooth, label=name, marker=marker, markevery=200, markersize=5, linewidth=1)
    ax.set(xlabel="step", ylabel="loss", ylim=(0, 1), title="Four optimizers, means over 50 steps")
    ax.legend()


page.figure(draw, size=(6.5, 4.2))
for name, book in {"SGD": 0.150, "Momentum": 0.050, "AdaGrad": 0.016, "Adam": 0.032}.items():
    curve = curves[name]
    near = curve[curve[:, 0] > 0.925 * steps][:100, 1]  # the book's figure is the loss of a single batch
    note = f"mean of {len(near)} batches, which go from {near.min():.3f} to {near.max():.3f}"
    page.row(f"ch. 6, {name}, loss near step 1,900", book, near.mean(), ".3f", note=note)
