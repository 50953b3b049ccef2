"""What the tests made of the faults that mutmut planted: `python tests/mutants.py`, after `mutmut run`.

mutmut runs the tests on NumPy, where much is forgiven: a device that is not given, a dtype that is
None. So what survives there meets the gradient checks of its layers once more on array-api-strict.

A survivor that changes nothing anyone can see is listed in docs/mutants.md, by its function and its
change, with the reason. Every other survivor is printed; too many of them, or a line of the list whose
fault is caught after all, make the exit status 1.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
WANTED = 0.97
"""The share of the faults that are not equivalent which the tests have to catch."""

OWN_TESTS = {
    "dtypes.py": "tests/layers",
    "layers/adapter.py": "tests/layers",
    "layers/book_style/": "tests/layers",
    "layers/checks.py": "tests/layers",
    "layers/layer.py": "tests/layers",
    "layers/naming.py": "tests/layers",
    "layers/node.py": "tests/layers",
    "layers/spec.py": "tests/layers",
    "losses/adapter.py": "tests/losses",
    "losses/loss.py": "tests/losses",
    "losses/real_target.py": "tests/losses",
    "optimizers/": "tests/optimizers",
}
"""The tests of files that no gradient check is about."""

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


def tried(folder: Path) -> Iterator[tuple[str, Change, bool]]:
    """The name of every fault that has been tried, what it is, and whether it was caught."""
    for meta in sorted(folder.rglob("*.py.meta")):
        from mutmut.mutation.diff_apply import get_diff_for_mutant

        file = str(meta.relative_to(folder)).removesuffix(".meta")
        for name, code in json.loads(meta.read_text("utf-8"))["exit_code_by_key"].items():
            if code is not None:
                change = change_of(file, name, get_diff_for_mutant(name, path=file))
                yield name, change, code not in (SURVIVED, *NO_TESTS)


def caught_on_strict(folder: Path, name: str, file: str) -> bool:
    """Whether a fault is caught on array-api-strict, by the checks of what its file defines."""
    classes = re.findall(r"^class ([A-Z]\w+)", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    users = {"windows.py": ["Convolution", "Pooling"]}.get(Path(file).name, classes)
    which = ["tests/layers/test_gradients.py", "-k", f"test_case and ({' or '.join(users)})"]
    which = next(([tests] for place, tests in OWN_TESTS.items() if place in file), which)
    code = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "--backend", "strict", *which],
        cwd=folder,
        env={**os.environ, "MUTANT_UNDER_TEST": name},
        stdout=subprocess.DEVNULL,
        check=False,
    ).returncode
    if code not in (0, 1):
        raise RuntimeError(f"pytest {' '.join(which)} ended with {code}")
    return code == 1


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


def report(results: list[tuple[str, Change, bool]], equivalent: dict[Change, str]) -> bool:
    """Print the table and the survivors; whether they are few enough.

    >>> report([], {})
    Traceback (most recent call last):
    SystemExit: no fault has been tried yet: run mutmut first, or `nox -s mutants`
    """
    if not results:
        raise SystemExit("no fault has been tried yet: run mutmut first, or `nox -s mutants`")
    survivors = {change for _, change, caught in results if not caught}
    rows = {file: [0] * 5 for file in sorted({change.file for _, change, _ in results})}
    missed = []
    for name, change, caught in results:
        kind = 1 if caught else 3 if change in equivalent else 4
        if kind == 4 and caught_on_strict(ROOT / "mutants", name, change.file):
            kind = 2
        missed += [change] if kind == 4 else []
        rows[change.file][0] += 1
        rows[change.file][kind] += 1
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    print(f"{'file':36} {'faults':>6}  caught: NumPy strict  equivalent  missed  caught of the rest")
    for file, (all_, numpy, strict, same, rest) in rows.items():
        share = (numpy + strict) / max(1, all_ - same)
        print(f"{file:36} {all_:6} {numpy:14} {strict:6} {same:11} {rest:7} {share:19.1%}")
    all_, numpy, strict, same, _ = rows["all"]
    print(f"\ncaught: {(numpy + strict) / all_:.1%} of all, {share:.1%} of those that are not equivalent")
    texts = [caught for _, change, caught in results if change.is_text]
    print(f"of {len(texts)} that change a quoted text alone: {sum(texts)} on NumPy")
    for change in missed:
        print(f"missed: {change.file} {change}")
    wrong = {change for _, change, _ in results if change in equivalent} - survivors
    for change in sorted(wrong):
        print(f"listed as equivalent, but caught: {change.file} {change}")
    gone = set(equivalent) - {change for _, change, _ in results}
    for change in sorted(change for change in gone if change.file in rows):
        print(f"listed as equivalent, but not tried here: {change.file} {change}")
    return not wrong and share >= WANTED


def _without_texts(code: str) -> str:
    return re.sub(r"(\"[^\"]*\"|'[^']*')", '""', code)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    known = listed((ROOT / "docs" / "mutants.md").read_text("utf-8"))
    sys.exit(not report(list(tried(ROOT / "mutants")), known))
