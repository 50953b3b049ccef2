"""Section 8.1: a deep convolutional network on MNIST; its weights are saved for the next pages."""

import numpy as np
from _common import Page

from backprop import Adam, DeepConvNet, Training
from backprop.datasets import load_mnist

page = Page(__doc__, epochs=2)
(x, t), test = load_mnist(normalize=False, flatten=False)  # (60000, 1, 28, 28)
epochs, batch_size = page.options.epochs, 100
if page.quick:
    (x, t), test, epochs, batch_size = (x[:500], t[:500]), (test[0][:500], test[1][:500]), 1, 50
network = DeepConvNet(device=page.device, rng=page.seed)
print(network.summary())

losses, curve = [], []
for metrics in Training(
    network, x, t, optimizer=Adam(), epochs=epochs, batch_size=batch_size, rng=page.seed, test=test,
    progress=losses.append, progress_steps=10,
):  # fmt: skip
    curve.append((metrics.step, metrics.accuracy, metrics.test_accuracy))
    print("step {:6,d}  train accuracy {:.4f}  test accuracy {:.4f}".format(*curve[-1]), flush=True)
params = {name: network.backend.to_numpy(value) for name, value in network.params.items()}
np.savez(page.file("deep_convnet.npz"), **params)


def draw(left, right):
    left.semilogy([p.step for p in losses], [p.loss for p in losses], linewidth=1)
    left.set(xlabel="step", ylabel="loss", title="Loss, means of 10 steps")
    step, on_train, on_test = zip(*curve, strict=True)
    right.plot(step, on_train, "o-", label="train, mean over the epoch", markersize=4)
    right.plot(step, on_test, "s--", label="test", markersize=4)
    right.set(xlabel="step", ylabel="accuracy", title="DeepConvNet")
    right.legend()


page.figure(draw, 1, 2)
note = f"shortened: {epochs} epochs, the book's 20" if epochs < 20 else f"{epochs} epochs"
page.row("ch. 8, DeepConvNet, test accuracy", 0.994, curve[-1][2], note=note)
