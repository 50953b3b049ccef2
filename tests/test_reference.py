"""The reference has every public module and name; that its pages have them, `nox -s docs` looks at."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path

import backprop

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
assert SPEC is not None
assert SPEC.loader is not None
reference = importlib.util.module_from_spec(SPEC)
sys.modules["reference"] = reference  # where its dataclasses look for their annotations
SPEC.loader.exec_module(reference)

NAMES = {module.name: module.names for module in reference.MODULES}


def test_every_module_is_public_or_internal() -> None:
    assert reference.undecided() == []
    assert len(NAMES) == len(reference.MODULES)


def test_the_page_is_up_to_date() -> None:
    assert reference.API.read_text("utf-8") == reference.markdown()  # else: python docs/reference.py


def test_every_link_of_the_page_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)]*)\)", reference.API.read_text("utf-8"))
    assert len(links) == len(NAMES)
    assert [link for link in links if not (ROOT / "docs" / link).resolve().is_file()] == []


def test_every_name_is_there_and_those_of_the_package_have_their_module_too() -> None:
    for module, names in NAMES.items():
        assert [name for name in names if not hasattr(importlib.import_module(module), name)] == []
    assert NAMES["backprop"] == backprop.__all__
    homes = {name for module, names in NAMES.items() if module != "backprop" for name in names}
    assert [name for name in backprop.__all__ if name not in homes] == []


def test_what_programs_need_is_on_it() -> None:
    for home, names in {
        "backprop.datasets": {"load_mnist", "load_dataset"},
        "backprop.saving": {"load_network", "save_network", "read_checkpoint", "write_checkpoint"},
        "backprop.schedules": {"Cosine", "Step", "WarmUp"},
        "backprop.report": {"write_report", "write_comparison", "diagnose"},
    }.items():
        assert names <= set(NAMES[home])
