"""The data of a run: what is held back to validate on, and whether data are those of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..backends import HostArray
from ..datasets import Dataset, DatasetError, Fingerprint, dataset_at, split
from ..datasets.split import split_rng, warn_of_scarce_classes
from .checkpoint import CheckpointError, followed

BY_CLASS = "by class"
"""How `--validation` holds samples back; older runs drew from all of them alike."""

ROWS = 1000
"""Samples that are moved at once."""


def load_run_data(place: str | None) -> Dataset:
    """The data of a run, MNIST for None."""
    try:
        return dataset_at(place)
    except DatasetError as error:
        if place is None or Path(place).exists():
            raise
        expected = f"{error.expected}; if the run's data are elsewhere now, say where by --data"
        raise DatasetError(error.path, error.found, expected) from None


def check_run_data(
    path: Path | str, description: Mapping[str, Any], fingerprint: Fingerprint, name: str
) -> None:
    """Raise a `CheckpointError` unless these data, called `name`, are those of the run in `path`."""
    if is_run_data(path, description, fingerprint):
        return
    if fingerprint.matches_as_stored(description):
        raise CheckpointError(
            f"{path} has learnt from EMNIST's images as they lie in its files, transposed; now they are "
            "turned upright: train anew"
        )
    raise CheckpointError(
        f"{path} is of a run on other data than {name} is now: say by --data where its data are"
    )


def is_run_data(path: Path | str, description: Mapping[str, Any], fingerprint: Fingerprint) -> bool:
    """Whether these data are those of the run in `path`."""
    with followed(path):
        return fingerprint.matches(description)


def hold_back(
    data: Dataset, share: float, seed: int, *, by_class: bool = True
) -> tuple[Dataset, tuple[HostArray, HostArray]]:
    """The data to train on, and the share of the training samples that is held back to validate on.

    The training data stays in its memory, which is overwritten. Raises `ValueError` as `split` does.
    """
    left, held = split(data.t_train, share, split_rng(seed), by_class=by_class)
    if by_class:
        warn_of_scarce_classes(data.t_train[left], data.t_train[held])
    held_out = data.x_train[held], data.t_train[held]
    x_train, t_train = _compacted(data.x_train, left), _compacted(data.t_train, left)
    return replace(data, x_train=x_train, t_train=t_train), held_out


def _compacted(array: HostArray, rows: HostArray) -> HostArray:
    """The array with these rows, in rising order, moved to its start, and cut to them."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        array[start : start + len(part)] = array[part]  # no row lies before its new place
    return array[: len(rows)]


def trained_part(path: Path | str, description: Mapping[str, Any], data: Dataset) -> Dataset:
    """The data that a run was trained on: without the samples that `--validation` held back."""
    with followed(path):
        settings = description.get("run", {}).get("settings", {})
        if not settings.get("validation"):
            return data
        by_class = description.get("split") == BY_CLASS
        share, seed = float(settings["validation"]), int(settings["seed"])
        rows = split(data.t_train, share, split_rng(seed), by_class=by_class)[0]
    return replace(data, x_train=data.x_train[rows], t_train=data.t_train[rows])
