"""Section 8.1.1: digits misclassified by the network of ch08_deep_convnet.py. Run that page first."""

import numpy as np
from _common import Page

from backprop import DeepConvNet
from backprop.datasets import load_mnist

page = Page(__doc__, seed=False)
path = page.file("deep_convnet.npz")
if not path.exists():
    raise SystemExit(f"{path} is not there: run examples/ch08_deep_convnet.py first, with the same --out")
network = DeepConvNet(device=page.device)
network.load_params(np.load(path))

_, (x, t) = load_mnist(flatten=False)
if page.quick:
    x, t = x[:500], t[:500]
predicted = np.concatenate(
    [
        network.backend.to_numpy(network.predict(network.backend.asarray(x[i : i + 500]))).argmax(axis=1)
        for i in range(0, len(x), 500)
    ]
)
wrong = np.flatnonzero(predicted != t)
print(f"{len(wrong)} of {len(x):,} are misclassified: images {', '.join(map(str, wrong[:20]))}, …")


def draw(*axes):
    for ax, i in zip(axes, wrong, strict=False):
        ax.imshow(x[i, 0], cmap="gray_r")
        ax.set_title(f"{t[i]}, taken for {predicted[i]}", fontsize=9)
    for ax in axes:
        ax.axis("off")


page.figure(draw, 4, 5, size=(8, 7))
page.row(
    "ch. 8, DeepConvNet, mistaken of 10,000",
    60,
    len(wrong),
    "d",
    note="after the epochs of ch08_deep_convnet.py",
)
