"""Section 5.7.4: the book's network, trained on MNIST, on the CPU or a GPU."""

import argparse

from backprop import SGD, TwoLayerNet, fit
from backprop.datasets import load_mnist

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--device", default="cpu", help="cpu, gpu, torch, …")
options = parser.parse_args()

train, test = load_mnist(normalize=False)  # bytes stay bytes until a batch is scaled
network = TwoLayerNet(784, 50, 10, device=options.device, rng=0)
print(network)

for metrics in fit(network, *train, optimizer=SGD(0.1), iterations=10_000, rng=0, test=test):
    print(f"step {metrics.step:6,d}  loss {metrics.loss:.4f}  test accuracy {metrics.test_accuracy:.4f}")
