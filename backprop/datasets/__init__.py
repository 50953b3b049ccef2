"""Data sets: MNIST, which is part of this package, and the user's own files."""

from .dataset import Dataset, DatasetError, with_channels
from .files import load_dataset
from .identity import Fingerprint, data_digest
from .mnist import dataset_at, load_mnist, mnist
from .split import held_back, split

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
    "split",
    "with_channels",
]
