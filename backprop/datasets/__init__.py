"""Data sets: MNIST, which is part of this package, and the user's own files."""

from .dataset import Dataset, DatasetError, with_channels
from .files import load_dataset
from .mnist import dataset_at, load_mnist, mnist

__all__ = ["Dataset", "DatasetError", "dataset_at", "load_dataset", "load_mnist", "mnist", "with_channels"]
