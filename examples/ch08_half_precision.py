"""Section 8.3.3: the network of ch08_deep_convnet.py in half precision. Run that page first."""

import time

import numpy as np
from _common import Page

from backprop import DeepConvNet
from backprop.datasets import load_mnist

page = Page(__doc__, seed=False, images=1000)
path = page.file("deep_convnet.npz")
if not path.exists():
    raise SystemExit(f"{path} is not there: run examples/ch08_deep_convnet.py first, with the same --out")
network = DeepConvNet(device=page.device)
network.load_params(np.load(path))

n = 20 if page.quick else page.options.images
_, (x, t) = load_mnist(flatten=False)
x, t = (network.backend.asarray(values[:n]) for values in (x, t))
accuracy, outputs = {}, {}
for dtype in "float32", "float16":
    now = network.to(dtype=dtype)
    began = time.perf_counter()
    inputs = now.backend.asarray(x, dtype=dtype)
    accuracy[dtype] = now.accuracy(inputs, t)
    outputs[dtype] = now.backend.to_numpy(now.predict(inputs[:20, ...])).ravel()
    seconds = time.perf_counter() - began
    print(
        f"{dtype}: accuracy {accuracy[dtype]:.4f} on {n:,} images, {seconds:.1f} s"
    )  # CPUs have no fast half precision


def draw(ax):
    ax.plot(outputs["float32"], outputs["float16"], "o", markersize=3, alpha=0.6)
    ax.axline((0, 0), slope=1, color="gray", linewidth=0.8)
    ax.set(xlabel="float32", ylabel="float16", title="The ten outputs for 20 images")


page.figure(draw, size=(5, 4.2))
note = f"{n:,} of 10,000 images"
page.row("ch. 8, accuracy lost in float16", 0.0, accuracy["float32"] - accuracy["float16"], note=note)
