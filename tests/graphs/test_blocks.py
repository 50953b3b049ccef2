"""Text and its size."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.graphs.blocks import LINE, SIZE, Block, block_of, shortened, text_width
from backprop.graphs.labels import label_of

from .samples import texts


def block(values: object, **options: bool) -> Block:
    label = label_of(np.asarray(values))
    assert label is not None
    return block_of(label, "forward", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["-0.1234 ± 5.678e-5", "(100, 50)", "BatchNormalization12", "SoftmaxWithLoss", "number of oranges",
     "y = x W + b", "→ forward", "Σ sum of a value's gradients", "nan inf −inf", "MWQ@%"],
)  # fmt: skip
def test_no_text_is_wider_than_estimated(text: str) -> None:
    """Not even in DejaVu Sans, which is wider than what most systems have."""
    pytest.importorskip("matplotlib")
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    drawn = TextPath((0, 0), text, SIZE, prop=FontProperties(family="DejaVu Sans")).get_extents()
    assert drawn.x1 <= text_width(text) <= 1.6 * drawn.x1


def test_wide_characters_count_as_wide() -> None:
    assert text_width("日本語") >= 3 * SIZE


def test_shortened_text_fits() -> None:
    for longest in (60.0, 100.0, 300.0):
        found = shortened("a name that goes on and on and on", longest)
        assert text_width(found) <= longest
        assert found.endswith("on" if longest == 300.0 else "…")


def test_a_block_keeps_to_its_size() -> None:
    for values in (
        1.5,
        [1.0, -2.0],
        [[1.0, 2.25], [3.0, -4.125], [5.0, 6.0]],
        np.arange(12.0),
        np.ones((20, 3)),
    ):
        for flush in (False, True):
            found = block(values, flush=flush)
            svg = "".join(found.svg(10.0, 20.0))
            root = parsed_group(svg)
            baselines = [float(element.get("y", "")) for element in root]
            assert 20.0 < min(y for y in baselines if y) < 20.0 + LINE
            assert max(baselines) <= 20.0 + found.height
            assert len(texts(root)) == sum(map(len, found.lines)) + bool(found.header)


def parsed_group(svg: str):  # type: ignore[no-untyped-def]
    from xml.etree import ElementTree

    root = ElementTree.fromstring(f'<svg xmlns="http://www.w3.org/2000/svg">{svg}</svg>')
    for path in [element for element in root if element.tag.endswith("path")]:
        root.remove(path)
    return root


def test_entries_stand_in_columns() -> None:
    found = block([[1.0, -22.5], [333.25, 4.0]])
    rights = [float(element.get("x", "")) for element in parsed_group("".join(found.svg(0.0, 0.0)))]
    assert rights[0] == rights[2]
    assert rights[1] == rights[3]
    assert rights[1] - rights[0] > text_width("-22.5")
