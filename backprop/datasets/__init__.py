"""Data sets: MNIST, which is part of this package, and the user's own files."""

from .dataset import Dataset, DatasetError
from .files import load_dataset
from .mnist import load_mnist, mnist

__all__ = ["Dataset", "DatasetError", "load_dataset", "load_mnist", "mnist"]
