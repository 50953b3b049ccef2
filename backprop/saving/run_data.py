"""The data of a run: hold out validation samples, and compare data with those of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ..backends import HostArray
from ..datasets import Dataset, DatasetError, Fingerprint, dataset_at, split
from ..datasets.split import split_rng, warn_of_scarce_classes
from ..inputs import is_mapped, take_samples
from .checkpoint import CheckpointError, followed

BY_CLASS = "by class"
"""How `--validation` holds samples out; older runs ignored the classes."""

ROWS = 1000
"""How many samples are moved at once."""


def load_run_data(place: str | None) -> Dataset:
    """Load the data of a run; MNIST for None."""
    try:
        return dataset_at(place)
    except DatasetError as error:
        if place is None or Path(place).exists():
            raise
        expected = f"{error.expected}; if the run's data have moved, give their place with --data"
        raise DatasetError(error.path, error.found, expected) from None


def check_run_data(
    path: Path | str, description: Mapping[str, Any], fingerprint: Fingerprint, name: str
) -> None:
    """Raise a `CheckpointError` unless the run in `path` used these data, called `name`."""
    if is_run_data(path, description, fingerprint):
        return
    if fingerprint.matches_as_stored(description):
        raise CheckpointError(
            f"{path} was trained on EMNIST's images as stored, transposed; they are now turned upright: "
            "train again"
        )
    raise CheckpointError(
        f"{path} is from a run on other data than {name}: give the place of its data with --data"
    )


def is_run_data(path: Path | str, description: Mapping[str, Any], fingerprint: Fingerprint) -> bool:
    """Whether the run in `path` used these data."""
    with followed(path):
        return fingerprint.matches(description)


def hold_out(
    data: Dataset, share: float, seed: int, *, by_class: bool = True
) -> tuple[Dataset, tuple[HostArray, HostArray]]:
    """Split off a share of the training samples as validation data.

    Returns the data to train on, in the same memory, which is overwritten unless it is a file's, and the
    samples held out. Raises `ValueError` as `split` does.
    """
    left, held = split(data.t_train, share, split_rng(seed), by_class=by_class)
    if by_class:
        warn_of_scarce_classes(data.t_train[left], data.t_train[held])
    held_out = take_samples(data.x_train, held), data.t_train[held]
    x_train, t_train = _compacted(data.x_train, left), _compacted(data.t_train, left)
    return replace(data, x_train=x_train, t_train=t_train), held_out


def _compacted(array: HostArray, rows: HostArray) -> HostArray:
    """Move these rows, in ascending order, to the array's start, and return that part of it."""
    if is_mapped(array):
        return cast(HostArray, take_samples(array, rows))
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        array[start : start + len(part)] = array[part]  # no row comes before its new place
    return array[: len(rows)]


def trained_part(path: Path | str, description: Mapping[str, Any], data: Dataset) -> Dataset:
    """The data that a run was trained on, without the samples that `--validation` held out."""
    with followed(path):
        settings = description.get("run", {}).get("settings", {})
        if not settings.get("validation"):
            return data
        by_class = description.get("split") == BY_CLASS
        share, seed = float(settings["validation"]), int(settings["seed"])
        rows = split(data.t_train, share, split_rng(seed), by_class=by_class)[0]
    return replace(data, x_train=take_samples(data.x_train, rows), t_train=data.t_train[rows])
