"""Section 4.5: train a two-layer network with sigmoid, and plot loss and accuracy."""

from _common import Page

from backprop import SGD, MultiLayerNet, Training
from backprop.datasets import load_mnist

page = Page(__doc__)
train, test = load_mnist(normalize=False)  # bytes stay bytes until a batch is scaled
network = MultiLayerNet(784, [50], 10, "sigmoid", 0.01, device=page.device, rng=page.seed)
print(network)

steps = 1200 if page.quick else 10_000
x, t = (network.backend.asarray(values) for values in train)
losses, epochs = [], []
for metrics in Training(
    network, x, t, optimizer=SGD(0.1), iterations=steps, batch_size=100, sampling="with-replacement",
    rng=page.seed, test=test, progress=losses.append, progress_steps=20,
):  # fmt: skip
    epochs.append((metrics.step, network.accuracy(x, t), metrics.test_accuracy))
    print("step {:6,d}  train accuracy {:.4f}  test accuracy {:.4f}".format(*epochs[-1]))


def draw(left, right):
    left.plot([p.step for p in losses], [p.loss for p in losses], linewidth=1)
    left.set(xlabel="step", ylabel="loss", ylim=(0, None), title="Loss, means of 20 steps")
    step, on_train, on_test = zip(*epochs, strict=True)
    right.plot(step, on_train, "o-", label="train", markersize=4)
    right.plot(step, on_test, "s--", label="test", markersize=4)
    right.set(xlabel="step", ylabel="accuracy", title="Accuracy after every epoch")
    right.legend()


page.figure(draw, 1, 2)
_, on_train, on_test = next((e for e in epochs if e[0] == 9600), epochs[-1])  # the book's last line
page.row("ch. 4, sigmoid, train accuracy at step 9,600", 0.9471, on_train)
page.row("ch. 4, sigmoid, test accuracy at step 9,600", 0.9465, on_test)
