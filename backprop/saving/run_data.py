"""The data of a run, found again: where they lie, whether they are the same, what was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..datasets import Dataset, DatasetError, Fingerprint, dataset_at, split
from ..datasets.split import split_rng
from .checkpoint import CheckpointError, followed

BY_CLASS = "by class"
"""How `--validation` holds samples back; runs from before drew from all of them alike."""


def load_run_data(place: str | None) -> Dataset:
    """The data that a run was on, MNIST for None."""
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


def trained_part(path: Path | str, description: Mapping[str, Any], data: Dataset) -> Dataset:
    """The run's own data, the training data without what `--validation` held back."""
    with followed(path):
        settings = description.get("run", {}).get("settings", {})
        if not settings.get("validation"):
            return data
        by_class = description.get("split") == BY_CLASS
        share, seed = float(settings["validation"]), int(settings["seed"])
        rows = split(data.t_train, share, split_rng(seed), by_class=by_class)[0]
    return replace(data, x_train=data.x_train[rows], t_train=data.t_train[rows])
