"""Prove the backward of a `torch.autograd.Function`: log(1 + exp(x)) without overflow.

In this folder, `backprop check custom_gradient_torch:softplus` proves it from a shell.
"""

import sys

import numpy as np

from backprop import check_gradients

try:
    import torch
except ImportError:
    if __name__ != "__main__":
        raise
    print("PyTorch is missing: pip install torch")
    sys.exit()


class Softplus(torch.autograd.Function):
    """y = log(1 + exp(x)); dx = dout / (1 + exp(−x))."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.clamp(min=0.0) + (-x.abs()).exp().log1p()

    @staticmethod
    def backward(ctx, dout):
        (x,) = ctx.saved_tensors
        return dout * torch.sigmoid(x)


def softplus(x):
    """y = log(1 + exp(x))."""
    return Softplus.apply(x)


def softplus_gradient(x, dout):
    """The gradient that `backward` returns for dout."""
    x.requires_grad_()
    return torch.autograd.grad(softplus(x), x, dout)[0]


softplus.case = lambda rng: (softplus, softplus_gradient, torch.asarray(rng.standard_normal((3, 4))))


def main() -> None:
    report = check_gradients(*softplus.case(np.random.default_rng(0)))
    print(report)
    assert report.passed


if __name__ == "__main__":
    main()
