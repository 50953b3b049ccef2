"""The book's networks."""

from .deep_conv_net import DeepConvNet
from .multi_layer_net import MultiLayerNet
from .simple_conv_net import SimpleConvNet
from .two_layer_net import TwoLayerNet

__all__ = ["DeepConvNet", "MultiLayerNet", "SimpleConvNet", "TwoLayerNet"]
