"""Prove a `jax.custom_vjp`: log(1 + exp(x)) with a gradient that does not overflow.

In this folder, `backprop check custom_gradient_jax:softplus` proves it from a shell.
"""

import sys

import numpy as np

from backprop import check_gradients

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    if __name__ != "__main__":
        raise
    print("JAX is missing: pip install jax")
    sys.exit()

jax.config.update("jax_enable_x64", True)  # differences need float64


@jax.custom_vjp
def _softplus(x):
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


_softplus.defvjp(lambda x: (_softplus(x), x), lambda x, dout: (dout * jax.nn.sigmoid(x),))


def softplus(x):
    """y = log(1 + exp(x))."""
    return _softplus(x)


def softplus_gradient(x, dout):
    """The rule's gradient for dout."""
    return jax.vjp(_softplus, x)[1](dout)[0]


softplus.case = lambda rng: (softplus, softplus_gradient, jnp.asarray(rng.standard_normal((3, 4))))


def main() -> None:
    report = check_gradients(*softplus.case(np.random.default_rng(0)))
    print(report)
    assert report.passed


if __name__ == "__main__":
    main()
