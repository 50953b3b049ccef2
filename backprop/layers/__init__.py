"""The layers: functions with a `forward` and, under it, a `backward`.

A new one is a class in a file of this folder and a line in the table below.
"""

from .activations import GELU, Identity, LeakyReLU, ReLU, Relu, Sigmoid, Softmax, Tanh
from .affine import Affine
from .arithmetic import Add, Mul
from .convolution import Convolution
from .dropout import Dropout
from .layer import Layer
from .merged import ConvolutionReLUPooling
from .node import Node
from .normalization import BatchNormalization, LayerNormalization
from .pooling import AveragePooling, MaxPooling, Pooling
from .residual import Residual
from .shape import Flatten, Reshape

__all__ = [
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
    "Node",
    "Pooling",
    "ReLU",
    "Relu",
    "Reshape",
    "Residual",
    "Sigmoid",
    "Softmax",
    "Tanh",
]
