"""Data sets: MNIST, which comes with this package, and your own files."""

from .dataset import Dataset, DatasetError, with_channels
from .fingerprint import Fingerprint, data_digest
from .loading import load_dataset
from .mnist import dataset_at, load_mnist, mnist
from .split import split, stratified_sample

__all__ = [
    "Dataset",
    "DatasetError",
    "Fingerprint",
    "data_digest",
    "dataset_at",
    "load_dataset",
    "load_mnist",
    "mnist",
    "split",
    "stratified_sample",
    "with_channels",
]
