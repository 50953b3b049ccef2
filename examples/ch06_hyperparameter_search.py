"""Section 6.5.3: a random search for a learning rate and a weight decay, on 500 images."""

import numpy as np
from _common import Page

from backprop import SGD, MultiLayerNet, Training
from backprop.datasets import load_mnist

page = Page(__doc__, trials=100)
(x, t), _ = load_mnist()
rng = np.random.default_rng(page.seed)
order = rng.permutation(500)
validation, training = order[:100], order[100:]  # 20 % to compare by; the test data stay unused
epochs, trials = (3, 20) if page.quick else (50, page.options.trials)

results = []
for _ in range(trials):
    decay, lr = 10 ** rng.uniform(-8, -4), 10 ** rng.uniform(-6, -2)
    network = MultiLayerNet(
        784, [100] * 6, 10, weight_decay_lambda=decay, device=page.device, rng=rng
    )  # fmt: skip
    run = Training(
        network, x[training], t[training], optimizer=SGD(lr), epochs=epochs, batch_size=100,
        rng=rng, test=(x[validation], t[validation]),
    )  # fmt: skip
    curve = [(metrics.accuracy, metrics.test_accuracy) for metrics in run]
    results.append((curve[-1][1], lr, decay, curve))
results.sort(key=lambda result: -result[0])
for i, (accuracy, lr, decay, _) in enumerate(results[:5], 1):
    print(f"best {i}: validation accuracy {accuracy:.2f}, lr {lr:.2g}, weight decay {decay:.2g}")


def draw(*axes):
    for i, (ax, (_, lr, decay, curve)) in enumerate(zip(axes, results, strict=False), 1):
        on_train, on_validation = zip(*curve, strict=True)
        ax.plot(on_validation, label="validation")
        ax.plot(on_train, "--", label="train")
        ax.set_title(f"{i}: lr {lr:.1e}, decay {decay:.0e}", fontsize=7)
    axes[0].set(ylim=(0, 1))
    axes[0].figure.supxlabel("epoch")
    axes[0].figure.supylabel("accuracy")
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)


page.figure(draw, 4, 5, size=(7.8, 6), sharex=True, sharey=True)
page.row(f"ch. 6, best validation accuracy of {trials} trials", None, results[0][0], ".2f")
low, high = (bound(lr for _, lr, _, _ in results[:5]) for bound in (min, max))
page.row("ch. 6, smallest learning rate of the best 5", 0.001, low, ".4f", note="the book: .001 to .01")
page.row("ch. 6, largest learning rate of the best 5", 0.01, high, ".4f", note="the book: .001 to .01")
