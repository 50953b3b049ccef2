"""Warnings about a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop.datasets import Dataset, load_dataset
from backprop.inputs import InputWarning


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (
            [1, 2, 3],
            [1, 3],
            "classes 0 to 3, but no training sample of class 0; to count from 0, subtract 1 from every label: t - 1$",
        ),
        ([0, 3, 0], [3], "no training sample of classes 1, 2; to renumber the classes: "),
        ([10, 30, 20], [30], "no training sample of classes 0, 1, 2 and 25 more; to renumber"),
        (
            [0, 2],
            [1, 2],
            "no training sample of class 1; the test data has 1 of them, which the network cannot get right",
        ),
    ],
)
def test_warning_of_classes_without_samples(
    train: list[int], test: list[int], said: str, tmp_path: Path
) -> None:
    t_train, t_test = np.asarray(train * 12), np.asarray(test)
    content = {"x_train": np.zeros((len(t_train), 2)), "x_test": np.zeros((len(test), 2))}

    def loaded(t_train: np.ndarray, t_test: np.ndarray) -> Dataset:
        np.savez(tmp_path / "d.npz", t_train=t_train, t_test=t_test, **content)
        return load_dataset(tmp_path / "d.npz")

    with pytest.warns(InputWarning, match=said) as caught:
        assert loaded(t_train, t_test).classes == max(train) + 1
    cure = str(caught[0].message).partition("renumber the classes: ")[2]
    if cure:
        values = {"numpy": np, "t_train": t_train, "t_test": t_test}
        exec(cure, values)
        data = loaded(values["t_train"], values["t_test"])
        assert data.classes == len(set(train))
        assert [sorted(set(train))[k] for k in data.t_test] == test
