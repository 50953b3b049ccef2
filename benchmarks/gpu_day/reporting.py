"""What a part finds, line by line in a file, so that whatever ends the part loses nothing before."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

SHARE = 0.8
"""The share of its time after which a part begins no more cases."""

Case = TypeVar("Case")


class NotHereError(Exception):
    """What a part needs is missing on this machine."""


class Report:
    """Writes the findings of a part.

    A finding that is a check has `passed`; one that is a measurement has not. The part has so many `seconds`.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._late = time.monotonic() + SHARE * seconds

    def in_time(self, cases: Iterable[Case]) -> Iterator[Case]:
        """The cases, as long as there is time; a finding says how many had to be left out."""
        left = list(cases)
        while left and time.monotonic() < self._late:
            yield left.pop(0)
        if left:
            self.add(f"{len(left)} more", "left out: no time")

    def add(self, what: str, result: str, *, passed: bool | None = None, **facts: Any) -> None:
        """Write a finding: its name, its result as text, and numbers for the JSON."""
        facts = {name: None if value != value else value for name, value in facts.items()}  # JSON has no NaN
        finding = {"what": what, "result": result, "passed": passed, **facts}
        print(json.dumps(finding), file=self._file, flush=True)

    def end(self, status: str = "ran", why: str = "") -> None:
        """Write that the part came to its end, or why it did not, and close the file."""
        print(json.dumps({"status": status, "why": why}), file=self._file)
        self._file.close()


def read(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The findings, and the part's last line, which is empty if it did not come to its end."""
    findings, end = [], {}
    for line in path.read_text("utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
        except ValueError:  # the process ended within a line
            continue
        if isinstance(entry, dict) and "what" in entry:
            findings.append(entry)
        elif isinstance(entry, dict) and "status" in entry:
            end = entry
    return findings, end
