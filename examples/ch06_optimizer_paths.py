"""Section 6.1: the paths of four optimizers down f(x, y) = x²/20 + y²."""

import numpy as np
from _common import Page

from backprop import SGD, AdaGrad, Adam, Momentum
from backprop.backends import get_backend

page = Page(__doc__, seed=False)
backend = get_backend(page.device)
slope = backend.asarray([0.1, 2.0], dtype="float64")  # ∂f/∂x = x/10, ∂f/∂y = 2 y

paths = {}
for optimizer in SGD(lr=0.95), Momentum(lr=0.1), AdaGrad(lr=1.5), Adam(lr=0.3):
    params = {"p": backend.asarray([-7.0, 2.0], dtype="float64")}
    path = []
    for _ in range(30):
        path.append(backend.to_numpy(params["p"]).copy())
        optimizer.update(params, {"p": slope * params["p"]})
    paths[repr(optimizer).partition(",")[0].rstrip(")") + ")"] = np.asarray(path)


def f(x, y):
    return x**2 / 20 + y**2


def draw(*axes):
    x, y = np.meshgrid(np.linspace(-10, 10, 200), np.linspace(-5, 5, 100))
    for ax, (name, path) in zip(axes, paths.items(), strict=True):
        ax.contour(x, y, f(x, y), levels=[0.1, 0.5, 1, 2, 3, 4, 5, 6, 7], colors="lightgray", linewidths=1)
        ax.plot(path[:, 0], path[:, 1], "o-", color="tab:red", markersize=3, linewidth=1)
        ax.plot(0, 0, "k+")
        ax.set(title=name, xlabel="x", ylabel="y", aspect="equal")


page.figure(draw, 2, 2, size=(9, 5.4), sharex=True, sharey=True)
for name, path in paths.items():
    page.row(f"ch. 6, {name} on x²/20 + y², f after 30 points", None, f(*path[-1]))
