"""Paths that are not data."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from backprop import pictures
from backprop.datasets import DatasetError, load_dataset


def test_pictures_are_refused_with_code_to_convert_them(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "photos" / "cats"
    folder.mkdir(parents=True)
    pixels = np.zeros((40, 40), "uint8")
    pixels[10:30, 18:22] = 255
    image.fromarray(pixels).save(folder / "a.PNG")
    for place in (folder, folder.parent, folder / "a.PNG"):
        with pytest.raises(
            DatasetError, match="pictures?; expected an .npz archive made from them: "
        ) as caught:
            load_dataset(place)
    names = {name: getattr(pictures, name) for name in ("MNIST", "Style", "prepare_picture", "read_picture")}
    told = re.search(r"prepare_picture\(.*?\)\.pixels(?= for)", str(caught.value))
    assert told
    assert eval(told[0], {"file": folder / "a.PNG", **names}).shape == (1, 28, 28)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero on this system")
def test_device_is_no_data() -> None:
    with pytest.raises(DatasetError, match="/dev/zero: no such file or folder"):
        load_dataset("/dev/zero")
