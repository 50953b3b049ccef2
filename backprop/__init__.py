"""Neural-network layers with explicit forward and backward, on any array API library.

>>> from backprop import TwoLayerNet, fit
>>> from backprop.datasets import load_mnist
>>> (x, t), (x_test, t_test) = load_mnist()
>>> network = TwoLayerNet(784, 50, 10, rng=0)
>>> training = fit(network, x, t, iterations=600, rng=0, test=(x_test, t_test))
>>> print(f"test accuracy {training.history[-1].test_accuracy:.2f}")
test accuracy 0.91
"""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import backends as backends
    from .fitting import fit
    from .gradcheck import GradientReport, check_gradients
    from .layers import (
        GELU,
        Add,
        Affine,
        AveragePooling,
        BatchNormalization,
        Convolution,
        ConvolutionReLUPooling,
        Dropout,
        Flatten,
        Identity,
        Layer,
        LayerNormalization,
        LeakyReLU,
        MaxPooling,
        Mul,
        Pooling,
        ReLU,
        Relu,
        Reshape,
        Residual,
        Sigmoid,
        Softmax,
        Tanh,
    )
    from .losses import Loss, MeanSquaredError, SigmoidWithLoss, SoftmaxWithLoss
    from .networks import Network
    from .numerical import numerical_gradient
    from .optimizers import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSprop
    from .ready_made import DeepConvNet, MultiLayerNet, SimpleConvNet, TwoLayerNet
    from .saving import load_network, save_network
    from .training import BatchTooLargeError, DivergenceError, Metrics, Progress, Training

__version__ = "0.1.0"


def _load_backends() -> None:
    """Load the folder `backends` beside this one as `backprop.backends`.

    A program may have a module `backends` of its own, which then is not in the way, nor hidden.
    """
    name, folder = f"{__name__}.backends", Path(__file__).parents[1] / "backends"
    spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules[name] = globals()["backends"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


_load_backends()

# Names are imported when they are used, so that `backprop --help` does not import NumPy.
_homes = {
    "fitting": ("fit",),
    "gradcheck": (
        "GradientReport",
        "check_gradients",
    ),
    "layers": (
        "GELU",
        "Add",
        "Affine",
        "AveragePooling",
        "BatchNormalization",
        "Convolution",
        "ConvolutionReLUPooling",
        "Dropout",
        "Flatten",
        "Identity",
        "Layer",
        "LayerNormalization",
        "LeakyReLU",
        "MaxPooling",
        "Mul",
        "Pooling",
        "ReLU",
        "Relu",
        "Reshape",
        "Residual",
        "Sigmoid",
        "Softmax",
        "Tanh",
    ),
    "losses": (
        "Loss",
        "MeanSquaredError",
        "SigmoidWithLoss",
        "SoftmaxWithLoss",
    ),
    "networks": ("Network",),
    "numerical": ("numerical_gradient",),
    "optimizers": (
        "SGD",
        "AdaGrad",
        "Adam",
        "AdamW",
        "Momentum",
        "Nesterov",
        "Optimizer",
        "RMSprop",
    ),
    "ready_made": (
        "DeepConvNet",
        "MultiLayerNet",
        "SimpleConvNet",
        "TwoLayerNet",
    ),
    "saving": (
        "load_network",
        "save_network",
    ),
    "training": (
        "BatchTooLargeError",
        "DivergenceError",
        "Metrics",
        "Progress",
        "Training",
    ),
}
_home = {name: module for module, names in _homes.items() for name in names}

__all__ = [
    "GELU",
    "SGD",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Add",
    "Affine",
    "AveragePooling",
    "BatchNormalization",
    "BatchTooLargeError",
    "Convolution",
    "ConvolutionReLUPooling",
    "DeepConvNet",
    "DivergenceError",
    "Dropout",
    "Flatten",
    "GradientReport",
    "Identity",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Loss",
    "MaxPooling",
    "MeanSquaredError",
    "Metrics",
    "Momentum",
    "Mul",
    "MultiLayerNet",
    "Nesterov",
    "Network",
    "Optimizer",
    "Pooling",
    "Progress",
    "RMSprop",
    "ReLU",
    "Relu",
    "Reshape",
    "Residual",
    "Sigmoid",
    "SigmoidWithLoss",
    "SimpleConvNet",
    "Softmax",
    "SoftmaxWithLoss",
    "Tanh",
    "Training",
    "TwoLayerNet",
    "check_gradients",
    "fit",
    "load_network",
    "numerical_gradient",
    "save_network",
]


def __getattr__(name: str) -> Any:
    if name in _home:
        globals()[name] = getattr(import_module(f".{_home[name]}", __name__), name)
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_home])
