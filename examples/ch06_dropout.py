"""Section 6.4.3: overfitting on 300 images, and dropout against it."""

from _common import Page

from backprop import SGD, Dropout, MultiLayerNet, Training
from backprop.datasets import load_mnist

page = Page(__doc__)
(x, t), test = load_mnist()
x, t = x[:300], t[:300]  # few samples, so that the network overfits
epochs = 5 if page.quick else 301

curves = {}
for ratio in 0.0, 0.2:
    network = MultiLayerNet(784, [100] * 6, 10, dropout_ratio=ratio, device=page.device, rng=page.seed)
    for layer in network.layers.values():
        if isinstance(layer, Dropout):
            layer.inverted = False  # as in the book: outputs are scaled in inference, not in training
    on_device = network.backend.asarray(x), network.backend.asarray(t)
    curves[ratio] = [
        (network.accuracy(*on_device), metrics.test_accuracy)
        for metrics in Training(
            network, *on_device, optimizer=SGD(0.01), epochs=epochs, batch_size=100,
            sampling="with-replacement", rng=page.seed, test=test,
        )
    ]  # fmt: skip
    print("dropout {}: train accuracy {:.4f}, test accuracy {:.4f}".format(ratio, *curves[ratio][-1]))


def draw(*axes):
    for ax, (ratio, curve) in zip(axes, curves.items(), strict=True):
        on_train, on_test = zip(*curve, strict=True)
        ax.plot(on_train, label="train")
        ax.plot(on_test, "--", label="test")
        ax.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02), title=f"dropout {ratio}")
        ax.legend(loc="lower right")


page.figure(draw, 1, 2)
page.row("ch. 6, 300 images, no dropout, test accuracy", None, curves[0.0][-1][1])
page.row("ch. 6, 300 images, dropout 0.2, test accuracy", 0.55, curves[0.2][-1][1])
