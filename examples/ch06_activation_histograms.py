"""Section 6.2.2: the outputs of five layers of 100 neurons, by activation and initial weights."""

import numpy as np
from _common import Page

from backprop import Affine, ReLU, Sigmoid, Tanh
from backprop.backends import get_backend
from backprop.networks.initializers import normal, standard_deviation

page = Page(__doc__)
backend = get_backend(page.device)
inits = {"std 1": 1.0, "std 0.01": 0.01, "Xavier": "xavier", "He": "he"}


def asarray(values):
    return backend.asarray(values, dtype="float32")


outputs = {}
for Activation in Sigmoid, ReLU, Tanh:
    for name, init in inits.items():
        rng = np.random.default_rng(page.seed)
        x = asarray(rng.standard_normal((1000, 100)))
        for layer in range(5):
            W = normal((100, 100), standard_deviation(init, 100), rng)
            x = Activation().forward(Affine(asarray(W), asarray(np.zeros(100))).forward(x))
            outputs[Activation.__name__, name, layer] = backend.to_numpy(x).ravel()

for activation, low in {"Sigmoid": 0, "ReLU": 0, "Tanh": -1}.items():

    def draw(*axes, activation=activation, low=low):
        for ax, (name, layer) in zip(axes, [(n, i) for n in inits for i in range(5)], strict=True):
            ax.hist(outputs[activation, name, layer], 30, range=(low, 1))
            ax.tick_params(labelsize=8)
            ax.set_yticks([])
            if activation == "ReLU":
                ax.set_ylim(0, 7000)  # as in the book: half of all outputs are 0
            if layer == 0:
                ax.set_ylabel(name)
            if name == "std 1":
                ax.set_title(f"layer {layer + 1}", fontsize=10)
        axes[0].figure.suptitle(f"{activation}: outputs from {low} to 1")

    if page.quick and activation != "Sigmoid":
        continue  # sixty histograms take a while
    page.figure(draw, 4, 5, part=activation.lower(), size=(9, 6), sharex=True)

for activation, name in (("Sigmoid", "Xavier"), ("Tanh", "Xavier"), ("ReLU", "He"), ("ReLU", "std 0.01")):
    spread = float(outputs[activation, name, 4].std())
    page.row(f"ch. 6, {activation}, {name}: standard deviation after layer 5", None, spread, ".3g")
