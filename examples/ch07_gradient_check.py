"""Section 7.5: the gradient check of the convolutional network, on one image of 10×10 random pixels."""

import numpy as np
from _common import Page

from backprop import SimpleConvNet, check_gradients

page = Page(__doc__)
rng = np.random.default_rng(page.seed)
network = SimpleConvNet(
    (1, 10, 10), {"filter_num": 10, "filter_size": 3, "pad": 0, "stride": 1}, hidden_size=10,
    merged=False, dtype="float64", device=page.device, rng=rng,
)  # fmt: skip
x, t = rng.random((1, 1, 10, 10)), np.asarray([1])
print(network)

asarray, to_numpy = network.backend.asarray, network.backend.to_numpy
backward = network.gradient(asarray(x), asarray(t))
numerical = network.numerical_gradient(asarray(x), asarray(t))
pairs = {key: (to_numpy(backward[key]).ravel(), to_numpy(numerical[key]).ravel()) for key in backward}

print(check_gradients(network, x, t))  # avoids the kinks that these differences straddle:
report = check_gradients(network, x, t, h=1e-4)
kinks = {entry.parameter + "1": entry.kinks for entry in report.entries if entry.layer == "Conv1"}


def draw(ax):
    for (key, (ours, theirs)), marker in zip(pairs.items(), "osD^vx", strict=True):
        shown = np.abs(ours) > 1e-12  # ReLU and pooling make the other entries zero
        ax.loglog(np.abs(theirs[shown]), np.abs(ours[shown]), marker, label=key, markersize=4, alpha=0.6)
    ax.axline((1e-3, 1e-3), (1, 1), color="gray", linewidth=0.8)
    ax.set(xlabel="|numerical gradient|", ylabel="|backpropagation|", title="All parameters of the network")
    ax.legend()


page.figure(draw, size=(5.5, 4.5))
for key, book in {"W1": 1.6e-6, "b1": 2.9e-6, "W2": None, "b2": None, "W3": None, "b3": 1.8e-7}.items():
    difference = np.abs(np.subtract(*pairs[key])).mean()
    note = f"{kinks[key]} differences straddle a kink" if kinks.get(key) else ""
    page.row(f"ch. 7, gradient check, {key}, mean difference", book, difference, ".1e", note=note)
