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
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from .lazy import lazy_names

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

# Imported when they are used, so that `backprop --help` does not import NumPy; `__init__.pyi` has them, too.
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "gradcheck": (
            "GradientReport",
            "check_gradients",
        ),
        "graphs": (
            "Graph",
            "Variable",
        ),
        "layers": (
            "GELU",
            "Add",
            "Affine",
            "AveragePooling",
            "BatchNormalization",
            "Broadcast",
            "Convolution",
            "ConvolutionReLUPooling",
            "Cos",
            "Div",
            "Dropout",
            "Exp",
            "Flatten",
            "Identity",
            "Layer",
            "LayerNormalization",
            "LeakyReLU",
            "Log",
            "MatMul",
            "Max",
            "MaxPooling",
            "Mean",
            "Mul",
            "Neg",
            "Pooling",
            "Pow",
            "Power",
            "ReLU",
            "Relu",
            "Reshape",
            "Residual",
            "Sigmoid",
            "Sin",
            "Softmax",
            "Sqrt",
            "Sub",
            "Sum",
            "Tanh",
        ),
        "losses": (
            "Loss",
            "MeanSquaredError",
            "SigmoidWithLoss",
            "SoftmaxWithLoss",
        ),
        "networks": (
            "DeepConvNet",
            "MultiLayerNet",
            "Network",
            "SimpleConvNet",
            "TwoLayerNet",
        ),
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
        "saving": (
            "load_network",
            "save_network",
        ),
        "training": (
            "BatchTooLargeError",
            "DivergenceError",
            "Metrics",
            "Progress",
            "RunRecorder",
            "Training",
            "fit",
        ),
    },
    globals(),
)
