"""Section 3.6: a network with pretrained weights, 784-50-100-10 with sigmoid.

The book's weights are not part of this project: give its file with --weights sample_weight.pkl.
Without it, this page trains its own weights, saves them by name, and loads them again.
"""

import numpy as np
from _common import Page

from backprop import Adam, MultiLayerNet, Training
from backprop.datasets import load_mnist

page = Page(__doc__, weights=None)
train, (x, t) = load_mnist()
sizes = 784, [50, 100], 10, "sigmoid"

path = page.options.weights
if path is None:
    own = MultiLayerNet(*sizes, weight_init_std="xavier", device=page.device, rng=page.seed)
    steps = 200 if page.quick else 6000
    for metrics in Training(own, *train, optimizer=Adam(), iterations=steps, rng=page.seed, test=(x, t)):
        print(f"step {metrics.step:5,d}  test accuracy {metrics.test_accuracy:.4f}")
    path = page.file("ch03_weights.npz")
    np.savez(path, **{name: own.backend.to_numpy(value) for name, value in own.params.items()})

network = MultiLayerNet(*sizes, device=page.device)
network.load_params(np.load(path, allow_pickle=True))  # "W1", "b1", "W2", …: the book's names
print(network)

correct, asarray, to_numpy = 0, network.backend.asarray, network.backend.to_numpy
for i in range(0, len(x), 100):
    y = network.predict(asarray(x[i : i + 100]))  # (100, 10)
    correct += np.count_nonzero(to_numpy(y).argmax(axis=1) == t[i : i + 100])
accuracy = correct / len(x)
wrong = np.flatnonzero(to_numpy(network.predict(asarray(x[:1000]))).argmax(axis=1) != t[:1000])[:10]
guesses = to_numpy(network.predict(asarray(x[wrong]))).argmax(axis=1)


def draw(*axes):
    for ax, i, guess in zip(axes, wrong, guesses, strict=False):
        ax.imshow(x[i].reshape(28, 28), cmap="gray_r")
        ax.set_title(f"{t[i]}, taken for {guess}", fontsize=9)
    for ax in axes:
        ax.axis("off")


page.figure(draw, 2, 5, size=(8, 3.6))
if page.options.weights:
    page.row("ch. 3, pretrained network, test accuracy", 0.9352, accuracy)
else:
    note = (
        f"not run: the book's weights are not part of this project; weights trained here give {accuracy:.4f}"
    )
    page.row("ch. 3, pretrained network, test accuracy", 0.9352, None, note=note)
