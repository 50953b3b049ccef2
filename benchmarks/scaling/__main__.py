"""Measure on this machine, fit the model of a step, check it, and predict larger machines.

    python -m benchmarks.scaling scaling.json --rounds 5

Every round is added to the file, so that `--rounds 0` prints the tables of what it has. On a machine that
others use, too, the fastest round counts, since others only take time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from .measuring import EVERY
from .tables import report

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
KINDS = ("shared", "messages")
IN_TWO = ("mpiexec", "-n", "2")
CONNECT = ("-c", "import backprop; from backends import world; world().barrier()")


def measured(names: list[str]) -> dict[str, Any]:
    """One round, of these networks."""
    return {
        "load": os.getloadavg()[0],
        "launch": {"1": _seconds(), "2": _seconds(*IN_TWO)},
        "own": _asked("own"),
        "computing": {name: _asked("computing", name) for name in names},
        "exchange": {kind: _asked("exchange", kind, launcher=IN_TWO) for kind in KINDS},
        "steps": {
            kind: {name: _asked("steps", kind, name, launcher=IN_TWO) for name in names} for kind in KINDS
        },
    }


def _seconds(*launcher: str) -> float:
    """Seconds to start processes that know each other, and to end them."""
    began = time.perf_counter()
    subprocess.run([*launcher, sys.executable, *CONNECT], check=True, env=os.environ | ONE_THREAD)
    return time.perf_counter() - began


def _asked(*what: str, launcher: tuple[str, ...] = ()) -> Any:
    command = [*launcher, sys.executable, "-m", "benchmarks.scaling.measuring", *what]
    ran = subprocess.run(command, check=True, env=os.environ | ONE_THREAD, stdout=subprocess.PIPE)
    return json.loads(ran.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="what is measured")
    parser.add_argument("--rounds", type=int, default=5, help="to add (default: %(default)s)")
    parser.add_argument("--networks", default=",".join(EVERY), help="comma-separated (default: %(default)s)")
    options = parser.parse_args()
    rounds = json.loads(options.file.read_text("utf-8")) if options.file.exists() else []
    for _ in range(options.rounds):
        rounds.append(measured(options.networks.split(",")))
        options.file.write_text(json.dumps(rounds, indent=1), "utf-8")
    print(report(rounds))


if __name__ == "__main__":
    main()
