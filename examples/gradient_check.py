"""Section 5.7.3: backpropagation against the numerical gradient, on three images of MNIST."""

import argparse

from backprop import TwoLayerNet, check_gradients
from backprop.datasets import load_mnist

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--device", default="cpu", help="cpu, gpu, torch, …")
options = parser.parse_args()

(x, t), _ = load_mnist()
network = TwoLayerNet(784, 50, 10, dtype="float64", device=options.device, rng=0)

# 200 entries of each array; leave `elements` out to compare all 42,112.
report = check_gradients(network, x[:3], t[:3], elements=200)
print(report)
assert report.passed
