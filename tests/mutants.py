"""What the tests made of the faults that mutmut planted: `python tests/mutants.py`, after `mutmut run`.

A survivor that changes nothing anyone can see is listed in docs/mutants.md, by its function and its
change, with the reason. Every other survivor is printed; too many of them, or a line of the list whose
fault is caught after all, make the exit status 1.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
WANTED = 0.97
"""The share of the faults that are not equivalent which the tests have to catch."""

SURVIVED, NO_TESTS = 0, (5, 33)
"""mutmut's codes; None is a fault not yet tried, all others are caught: by a test or the clock."""


class Change(NamedTuple):
    """One fault: the lines that it takes away and those that it puts in their place."""

    file: str
    function: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"`{self.function}`: `{self.before}` → `{self.after}`"

    @property
    def is_text(self) -> bool:
        """Whether it changes the inside of a quoted text and nothing else."""
        return _without_texts(self.before) == _without_texts(self.after)


def tried(folder: Path) -> Iterator[tuple[Change, bool]]:
    """Every fault that has been tried, and whether it was caught."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    for meta in sorted(folder.rglob("*.py.meta")):
        file = str(meta.relative_to(folder)).removesuffix(".meta")
        for name, code in json.loads(meta.read_text("utf-8"))["exit_code_by_key"].items():
            if code is not None:
                yield (
                    change_of(file, name, get_diff_for_mutant(name, path=file)),
                    code
                    not in (
                        SURVIVED,
                        *NO_TESTS,
                    ),
                )


def change_of(file: str, name: str, diff: str) -> Change:
    r"""The change that a unified diff shows, on one line.

    >>> str(change_of("a.py", "a.xǁReLUǁforward__mutmut_2", "--- a\n+++ a\n@@ @@\n-    y = x\n+    y = None"))
    '`ReLU.forward`: `y = x` → `y = None`'
    """
    lines = diff.splitlines()[3:]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)).replace("`", "'")
        for sign in "-+"
    )
    mangled = name.rpartition("__mutmut_")[0].rpartition(".")[2]  # xǁClassǁmethod or x_function
    function = mangled[2:].replace("ǁ", ".")
    return Change(file, function, before, after)


def listed(text: str) -> dict[Change, str]:
    r"""The equivalent faults of docs/mutants.md, with their reasons.

    >>> listed("### a.py\n\n- `f`: `y = x` → `y = 2`: no matter.")
    {Change(file='a.py', function='f', before='y = x', after='y = 2'): 'no matter.'}
    """
    found, file = {}, ""
    for line in text.splitlines():
        if heading := re.fullmatch(r"### (\S+\.py)", line):
            file = heading[1]
        elif entry := re.fullmatch(r"- `([^`]+)`: `([^`]+)` → `([^`]*)`: (.+)", line):
            found[Change(file, *entry.groups()[:3])] = entry[4]
    return found


def report(results: list[tuple[Change, bool]], equivalent: dict[Change, str]) -> bool:
    """Print the table and the survivors; whether they are few enough."""
    rows = {file: [0, 0, 0, 0] for file in sorted({change.file for change, _ in results})}
    missed = []
    for change, caught in results:
        row = rows[change.file]
        row[0] += 1
        row[1] += caught
        row[2] += not caught and change in equivalent
        if not caught and change not in equivalent:
            missed.append(change)
            row[3] += 1
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    print(
        f"{'file':40} {'faults':>7} {'caught':>7} {'equivalent':>11} {'missed':>7} {'caught of the rest':>19}"
    )
    for file, (all_, caught, same, not_caught) in rows.items():
        share = caught / max(1, all_ - same)
        print(f"{file:40} {all_:7} {caught:7} {same:11} {not_caught:7} {share:19.1%}")
    texts = [caught for change, caught in results if change.is_text]
    print(
        f"\n{rows['all'][1] / rows['all'][0]:.1%} of all are caught; {sum(texts)} of {len(texts)} in texts alone"
    )
    for change in missed:
        print(f"missed: {change.file} {change}")
    wrong = {change for change, _ in results if change in equivalent} - {
        c for c, caught in results if not caught
    }
    for change in sorted(wrong):
        print(f"listed as equivalent, but caught: {change.file} {change}")
    gone = set(equivalent) - {change for change, _ in results}
    for change in sorted(change for change in gone if change.file in rows):
        print(f"listed as equivalent, but not tried here: {change.file} {change}")
    return not wrong and share >= WANTED


def _without_texts(code: str) -> str:
    return re.sub(r"(\"[^\"]*\"|'[^']*')", '""', code)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    known = listed((ROOT / "docs" / "mutants.md").read_text("utf-8"))
    sys.exit(not report(list(tried(ROOT / "mutants")), known))
