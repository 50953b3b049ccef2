"""The layers: functions with a `forward` and, under it, a `backward`.

A new one is a class in a file of this folder and a line in the table below.
"""

from .activations import GELU, Identity, LeakyReLU, ReLU, Relu, Sigmoid, Softmax, Tanh
from .affine import Affine
from .arithmetic import Add, Div, MatMul, Mul, Pow, Sub
from .convolution import Convolution
from .dropout import Dropout
from .elementwise import Cos, Exp, Log, Neg, Power, Sin, Sqrt
from .layer import Layer
from .merged import ConvolutionReLUPooling
from .node import Node
from .normalization import BatchNormalization, LayerNormalization
from .pooling import AveragePooling, MaxPooling, Pooling
from .reductions import Broadcast, Max, Mean, Sum
from .residual import Residual
from .shape import Flatten, Reshape

__all__ = [
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
    "Node",
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
]
