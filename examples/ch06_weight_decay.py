"""Section 6.4.2: overfitting on 300 images, and weight decay against it."""

from _common import Page

from backprop import SGD, MultiLayerNet, Training
from backprop.datasets import load_mnist

page = Page(__doc__)
(x, t), test = load_mnist()
x, t = x[:300], t[:300]  # few samples, so that the network overfits
epochs = 5 if page.quick else 201

curves = {}
for decay in 0.0, 0.1:
    network = MultiLayerNet(
        784, [100] * 6, 10, weight_decay_lambda=decay, device=page.device, rng=page.seed
    )  # fmt: skip
    on_device = network.backend.asarray(x), network.backend.asarray(t)
    curves[decay] = [
        (network.accuracy(*on_device), metrics.test_accuracy)
        for metrics in Training(
            network, *on_device, optimizer=SGD(0.01), epochs=epochs, batch_size=100,
            sampling="with-replacement", rng=page.seed, test=test,
        )
    ]  # fmt: skip
    print("weight decay {}: train accuracy {:.4f}, test accuracy {:.4f}".format(decay, *curves[decay][-1]))


def draw(*axes):
    for ax, (decay, curve) in zip(axes, curves.items(), strict=True):
        on_train, on_test = zip(*curve, strict=True)
        ax.plot(on_train, label="train")
        ax.plot(on_test, "--", label="test")
        ax.set(xlabel="epoch", ylabel="accuracy", ylim=(0, 1.02), title=f"weight decay {decay}")
        ax.legend(loc="lower right")


page.figure(draw, 1, 2)
page.row("ch. 6, 300 images, no weight decay, test accuracy", None, curves[0.0][-1][1])
page.row("ch. 6, 300 images, weight decay 0.1, test accuracy", 0.72, curves[0.1][-1][1])
