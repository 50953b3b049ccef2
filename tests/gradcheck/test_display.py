"""What the report of a gradient check shows in a notebook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backprop import Affine, GradientReport, Network, ReLU, Tanh, check_gradients
from backprop.gradcheck.verdicts import FAILED, PASSED, UNRESOLVED, WRONG_ABOVE

from ..tables import Tables


class Wrong(Tanh):
    def backward(self, dout: object) -> object:  # type: ignore[override]
        return -super().backward(dout)  # type: ignore[arg-type, operator]


def passed() -> GradientReport:
    rng = np.random.default_rng(0)
    return check_gradients(Affine(rng.standard_normal((4, 3)), np.zeros(3)), rng.standard_normal((5, 4)))


def test_a_report_that_passed() -> None:
    report = passed()
    page = report._repr_html_()
    tables = Tables(page)
    assert "ul" not in tables.tags
    (table,) = tables.tables
    assert table[0] == ["gradient", "verdict", "shape", "analytic", "numerical", "error", "±"]
    assert [row[:3] for row in table[1:]] == [
        ["Affine.W", "passed", "4×3"],
        ["Affine.b", "passed", "3"],
        ["Affine.x", "passed", "5×4"],
    ]
    assert [float(row[3]) for row in table[1:]] == [
        float(f"{entry.analytic:.4e}") for entry in report.entries
    ]
    assert page.count('<span class="good">passed</span>') == 4
    assert "Affine, gradients compared to differences in float64, numpy on cpu: 3 passed" in page


def test_what_failed_comes_first_and_is_marked() -> None:
    rng = np.random.default_rng(0)
    layers = [
        Affine(rng.standard_normal((4, 3)), np.zeros(3)),
        Wrong(),
        Affine(rng.standard_normal((3, 2)), np.ones(2)),
    ]
    report = check_gradients(Network(layers), rng.standard_normal((5, 4)), [0, 1, 0, 1, 1])
    page = report._repr_html_()
    (table,) = Tables(page).tables
    assert table[1][:2] == ["Wrong1.x", "FAILED"]
    order = [row[1] for row in table[1:]]
    assert order == sorted(order, key=[FAILED, UNRESOLVED, WRONG_ABOVE, PASSED].index)
    assert "<li>first wrong, going backward: Wrong1</li>" in page
    assert page.index('<span class="bad">FAILED</span>') < page.index("<table")


def test_a_report_with_doubts() -> None:
    page = check_gradients(ReLU(), np.asarray([[1.0, 0.0]]))._repr_html_()
    assert page.count('<span class="doubt">unresolved</span>') == 2
    assert "1 unresolved" in page


def test_many_that_passed_are_shown_on_request() -> None:
    report = passed()
    entry = report.entries[0]
    many = replace(report, entries=(*[entry] * 20, replace(entry, verdict=FAILED, parameter="V")))
    tables = Tables(many._repr_html_())
    assert [len(table) - 1 for table in tables.tables] == [1, 20]
    assert tables.tables[0][1][0] == "Affine.V"
    assert tables.tags.index("details") > tables.tags.index("table")
    assert [
        len(table) - 1 for table in Tables(replace(many, entries=(entry,) * 20)._repr_html_()).tables
    ] == [20]


def test_problems_are_text_not_markup() -> None:
    report = replace(passed(), entries=(), problems=("raised ValueError: <b>3</b>",))
    page = report._repr_html_()
    assert "<li>raised ValueError: &lt;b&gt;3&lt;/b&gt;</li>" in page
    assert "none could be compared" in page
    assert Tables(page).tables == []
