"""Sections 7.5 and 7.6: a convolutional network on MNIST, and its filters before and after."""

from _common import Page

from backprop import Adam, SimpleConvNet, Training
from backprop.datasets import load_mnist

page = Page(__doc__, epochs=20)
(x, t), test = load_mnist(normalize=False, flatten=False)  # (60000, 1, 28, 28)
epochs = page.options.epochs
if page.quick:
    (x, t), test, epochs = (x[:3000], t[:3000]), (test[0][:1000], test[1][:1000]), 1
network = SimpleConvNet(device=page.device, rng=page.seed)
print(network.summary())


def filters():
    return network.backend.to_numpy(network.params["W1"]).copy()  # (30, 1, 5, 5)


before, curve = filters(), []
options = {"epochs": epochs, "batch_size": 100, "rng": page.seed, "test": test}
for metrics in Training(network, x, t, optimizer=Adam(), **options):
    curve.append((metrics.epoch, metrics.accuracy, metrics.test_accuracy))
    print("epoch {:2d}  train accuracy {:.4f}  test accuracy {:.4f}".format(*curve[-1]), flush=True)


def draw(ax):
    epoch, on_train, on_test = zip(*curve, strict=True)
    ax.plot(epoch, on_train, "o-", label="train, mean over the epoch", markersize=4)
    ax.plot(epoch, on_test, "s--", label="test", markersize=4)
    ax.set(xlabel="epoch", ylabel="accuracy", title="SimpleConvNet", xticks=epoch[:: max(len(epoch) // 5, 1)])
    ax.legend()


def draw_filters(*axes):
    W = [*before, *filters()]
    for i, (ax, w) in enumerate(zip(axes, W, strict=True)):
        ax.imshow(w[0], cmap="gray_r")
        ax.axis("off")
        if i % 30 == 0:
            ax.set_title("before" if i == 0 else "after", loc="left")


page.figure(draw, size=(6, 4))
page.figure(draw_filters, 6, 10, part="filters", size=(7, 5))
final, best = curve[-1][2], max(on_test for _, _, on_test in curve)
page.row("ch. 7, SimpleConvNet, test accuracy after 20 epochs", 0.9896, final, note=f"{epochs} epochs")
page.row(
    "ch. 7, SimpleConvNet, best test accuracy",
    0.9904,
    best,
    note=f"{epochs} epochs; (m): of 12",
    measured=True,
)
