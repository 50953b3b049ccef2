"""Histograms of large arrays."""

from __future__ import annotations

import numpy as np
import pytest

from backprop.graphs.histogram import BARS, BINS, Popup, counts

from .samples import SVG, texts


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
def test_counts_are_those_of_numpy(dtype: str, rng: np.random.Generator) -> None:
    values = (1000.0 * rng.standard_normal((40, 50))).astype(dtype)
    expected, _ = np.histogram(values.astype(np.float64), BINS)
    found = counts(values)
    assert found.sum() == values.size
    assert np.abs(found - expected).sum() <= 4  # at the edges of bins, by rounding


@pytest.mark.parametrize(
    "values",
    [
        [1.0] * 20,
        [0.0] * 20,
        [1e308, -1e308] * 10,
        [5e-324, 0.0] * 10,
        [1.0, np.nextafter(1.0, 2.0)] * 10,
        [np.nan, np.inf, -np.inf, 1.0, 2.0],
    ],
)
def test_extreme_values(values: list[float]) -> None:
    array = np.asarray(values)
    assert counts(array).sum() == np.isfinite(array).sum()


def test_no_finite_entry() -> None:
    assert counts(np.full(20, np.nan)).sum() == 0
    popup = Popup({"forward": np.full(20, np.nan)})
    svg = "".join(popup.svg(0.0, 0.0))
    assert "20 NaN not drawn" in svg
    assert 'class="bar' not in svg


def test_a_popup_has_both_histograms(rng: np.random.Generator) -> None:
    from xml.etree import ElementTree

    forward, gradient = rng.standard_normal((2, 30, 4))
    gradient[0, 0] = np.inf
    popup = Popup({"forward": forward, "gradient": gradient})
    root = ElementTree.fromstring(
        f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(popup.svg(5.0, 7.0))}</svg>'
    )
    written = texts(root)
    assert written[0] == "forward 30×4"
    assert f"{forward.min():.4g}" in written
    assert f"{forward.max():.4g}" in written
    assert "1 infinite not drawn" in written
    panel, *bars = root.iter(f"{SVG}rect")
    top, height = float(panel.get("y", "")), float(panel.get("height", ""))
    assert height == pytest.approx(popup.height, abs=0.1)
    for kind in ("bar forward", "bar backward"):
        heights = [float(bar.get("height", "")) for bar in bars if bar.get("class") == kind]
        assert max(heights) == BARS
    for element in root.iter(f"{SVG}text"):
        assert top < float(element.get("y", "")) < top + height
