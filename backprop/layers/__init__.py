"""The layers. A new one is a class in a file of this folder and a line in the table below."""

from .activations import Identity, ReLU, Relu, Sigmoid, Tanh
from .affine import Affine
from .arithmetic import Add, Mul
from .base import Layer, Node
from .convolution import Convolution
from .merged import ConvolutionReLUPooling
from .pooling import AveragePooling, MaxPooling, Pooling

__all__ = [
    "Add",
    "Affine",
    "AveragePooling",
    "Convolution",
    "ConvolutionReLUPooling",
    "Identity",
    "Layer",
    "MaxPooling",
    "Mul",
    "Node",
    "Pooling",
    "ReLU",
    "Relu",
    "Sigmoid",
    "Tanh",
]
