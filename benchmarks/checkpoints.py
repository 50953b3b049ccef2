"""What saving a checkpoint every epoch costs: `python -m benchmarks.checkpoints [pairs]`.

The book's run, 10,000 steps with an evaluation every epoch, with saving and without, in turn.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from backprop import TwoLayerNet, fit, runs
from backprop.datasets import load_mnist


def seconds(folder: Path | None) -> tuple[float, float]:
    """Of the whole run, and of what it took to save it."""
    (x, t), test = load_mnist(normalize=False)
    network = TwoLayerNet(784, 50, 10, rng=0)
    began, saving = time.perf_counter(), 0.0
    training = fit(network, x, t, iterations=10_000, rng=0, test=test)
    for _ in training:
        before = time.perf_counter()
        if folder is not None:
            runs.save(folder, training.checkpoint(), keep=2)
        saving += time.perf_counter() - before
    return time.perf_counter() - began, saving


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory(dir=".") as folder:
        measured = [(seconds(None)[0], *seconds(Path(folder))) for _ in range(pairs)]
    plain, saved, saving = (median(values) for values in zip(*measured, strict=True))
    print(f"without {plain:.2f} s, with 17 checkpoints {saved:.2f} s, of it {saving:.3f} s for saving")
    print(f"share: {saving / (saved - saving):.2%} (medians of {pairs} pairs in turn)")


if __name__ == "__main__":
    main()
