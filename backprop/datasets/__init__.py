"""Data sets: MNIST, which is part of this package, and the user's own files."""

from .dataset import Dataset, DatasetError, held_back, with_channels
from .files import load_dataset
from .identity import Fingerprint, data_digest
from .mnist import dataset_at, load_mnist, mnist

__all__ = [
    "Dataset",
    "DatasetError",
    "Fingerprint",
    "data_digest",
    "dataset_at",
    "held_back",
    "load_dataset",
    "load_mnist",
    "mnist",
    "with_channels",
]
