"""Not in the book: 800 hidden units with He's initial weights, the classic figure for a plain network."""

from _common import Page

from backprop import SGD, Training, TwoLayerNet
from backprop.datasets import load_mnist

page = Page(__doc__, epochs=20)
(x, t), test = load_mnist(normalize=False)
epochs = page.options.epochs
if page.quick:
    x, t, epochs = x[:10_000], t[:10_000], 1
network = TwoLayerNet(784, 800, 10, "he", device=page.device, rng=page.seed)
print(network)

curve = []
for metrics in Training(network, x, t, optimizer=SGD(0.1), epochs=epochs, rng=page.seed, test=test):
    curve.append((metrics.epoch, metrics.accuracy, metrics.test_accuracy))
    print("epoch {:2d}  train accuracy {:.4f}  test accuracy {:.4f}".format(*curve[-1]))


def draw(ax):
    epoch, on_train, on_test = zip(*curve, strict=True)
    ax.plot(epoch, on_train, "o-", label="train, mean over the epoch", markersize=4)
    ax.plot(epoch, on_test, "s--", label="test", markersize=4)
    ax.set(xlabel="epoch", ylabel="accuracy", title="784-800-10")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend()


page.figure(draw, size=(6, 4))
page.row(
    "784-800-10, SGD 0.1, test accuracy after 20 epochs",
    0.9798,
    curve[-1][2],
    note=f"{epochs} epochs",
    measured=True,
)
