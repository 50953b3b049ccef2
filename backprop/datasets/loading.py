"""Load your own data: a folder of IDX or .npy files, or an .npz archive."""

from __future__ import annotations

from pathlib import Path

from .dataset import Dataset, DatasetError, warn_of_absent_classes
from .folder import read_folder
from .npz import read_npz
from .pictures import IMAGE_SUFFIXES, PICTURES_TO_DATA


def load_dataset(path: str | Path, *, test_only: bool = False) -> Dataset:
    """Load the data in a folder of IDX or .npy files, or in an .npz archive.

    A folder contains `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    `t10k-labels-idx1-ubyte`, gzipped (`.gz`) or not, as MNIST and Fashion-MNIST are published. EMNIST's
    longer names work too, and so do the four .npz files of Kuzushiji-MNIST. EMNIST stores its images
    transposed; they are turned upright, with an `InputWarning`.

    An archive contains `x_train`, `t_train`, `x_test` and `t_test` (or `y_train`, `train_images`,
    `train_labels`, …): numbers (N, …), and class numbers (N,) or (N, 1) or one-hot rows (N, C). Pickled
    data is refused. The same arrays as files in a folder, `x_train.npy` and so on, are memory-mapped: they
    may be larger than the memory. An archive is read whole; unzipped, it is such a folder.

    Classes without training samples cause an `InputWarning`. Any fault in a file is a `DatasetError` that
    names it.

    Parameters
    ----------
    test_only : accept a test set without training data; its arrays may then also be called `x`, and `t` or
        `y`
    """
    path = Path(path)
    if not (path.is_dir() or path.is_file()):
        raise DatasetError(
            path, "no such file or folder", "a folder of four IDX files or of .npy files, or an .npz file"
        )
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        raise DatasetError(path, "a picture", PICTURES_TO_DATA)
    data = read_folder(path, test_only=test_only) if path.is_dir() else read_npz(path, test_only=test_only)
    if len(data.t_train):
        warn_of_absent_classes(data, path)
    return data
