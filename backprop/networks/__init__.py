"""Networks: an ordered stack of layers with a loss at the end, and the book's networks."""

from .models import DeepConvNet, MultiLayerNet, SimpleConvNet, TwoLayerNet
from .network import Network

__all__ = ["DeepConvNet", "MultiLayerNet", "Network", "SimpleConvNet", "TwoLayerNet"]
