"""Section 6.3.2: training with batch normalization and without, from 16 scales of initial weights."""

import numpy as np
from _common import Page

from backprop import SGD, DivergenceError, MultiLayerNet, Training
from backprop.datasets import load_mnist

page = Page(__doc__)
(x, t), _ = load_mnist()
x, t = x[:1000], t[:1000]
epochs = 2 if page.quick else 20
scales = np.logspace(0, -4, num=16)

curves = {}
for scale in scales:
    for use_batchnorm in True, False:
        network = MultiLayerNet(
            784, [100] * 5, 10, "relu", float(scale),
            use_batchnorm=use_batchnorm, device=page.device, rng=page.seed,
        )  # fmt: skip
        run = Training(network, x, t, optimizer=SGD(0.01), epochs=epochs, rng=page.seed, test=(x, t))
        curve = curves[scale, use_batchnorm] = []
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                curve.extend(metrics.test_accuracy for metrics in run)
        except DivergenceError as error:  # the weights are too large without normalization
            print(f"scale {scale:.4g}: {error}")
    with_it, without = ((curves[scale, kind] or [0.0])[-1] for kind in (True, False))
    print(f"scale {scale:.4g}: train accuracy {with_it:.3f} with batch normalization, {without:.3f} without")


def draw(*axes):
    for ax, scale in zip(axes, scales, strict=True):
        ax.plot(curves[scale, True], label="batch normalization")
        ax.plot(curves[scale, False], "--", label="none")
        ax.set_title(f"scale {scale:.2g}", fontsize=10)
    for ax in axes[12:]:
        ax.set_xlabel("epoch")
    axes[0].set(ylim=(0, 1), xlim=(0, max(epochs - 1, 1)))
    axes[0].figure.supylabel("train accuracy")
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)


page.figure(draw, 4, 4, size=(9, 7.5), sharex=True, sharey=True)
ahead = sum(curves[s, True][-1] > (curves[s, False] or [0.0])[-1] for s in scales)
page.row(
    "ch. 6, scales of 16 where batch normalization is ahead", None, ahead, "d", note="the book: almost all"
)
