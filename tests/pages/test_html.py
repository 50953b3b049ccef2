"""The parts of an HTML page."""

from __future__ import annotations

from backprop.pages.html import number, section, setting


def test_numbers_and_settings() -> None:
    found = [number(value) for value in (None, 12345, 0.123456, 12345.6, 1e-5, 0.0)]
    assert found == ["–", "12,345", "0.1235", "1.2e+04", "1.0e-05", "0"]
    assert [setting(value) for value in (None, True, False, 0.1, "he")] == ["–", "yes", "no", "0.1", "he"]


def test_a_section_may_have_an_id_and_a_kind() -> None:
    assert section("A", "<p></p>") == "<section>\n<h2>A</h2>\n<p></p></section>\n"
    assert section("A", "b", kind="warnings", id="step-1").startswith(
        '<section id="step-1" class="warnings">'
    )
    assert section("A", "", id="step-1") == ""
