"""Prove a gradient before scipy.optimize uses it: the distances between points in the plane.

In this folder, `backprop check custom_gradient_scipy:stress` proves it from a shell.
"""

import numpy as np

from backprop import check_gradients

WANTED = np.asarray([3.0, 4.0, 5.0])  # distances of the pairs below: a right-angled triangle
FIRST, SECOND = np.asarray([0, 0, 1]), np.asarray([1, 2, 2])


def stress(x: np.ndarray) -> float:
    """Σ (|pᵢ − pⱼ| − wanted)² over the pairs, for three points x = (p₀, p₁, p₂)."""
    points = x.reshape(3, 2)
    distances = np.linalg.norm(points[FIRST] - points[SECOND], axis=1)
    return float(((distances - WANTED) ** 2).sum())


def stress_gradient(x: np.ndarray) -> np.ndarray:
    """2 (|d| − wanted) d / |d| for the first point of a pair, minus that for the second."""
    points = x.reshape(3, 2)
    d = points[FIRST] - points[SECOND]
    distances = np.linalg.norm(d, axis=1)
    pull = (2.0 * (distances - WANTED) / distances)[:, None] * d
    gradient = np.zeros((3, 2))
    np.add.at(gradient, FIRST, pull)
    np.subtract.at(gradient, SECOND, pull)
    return gradient.reshape(-1)


stress.case = lambda rng: (stress, stress_gradient, rng.standard_normal(6))


def main() -> None:
    report = check_gradients(*stress.case(np.random.default_rng(0)))
    print(report)
    assert report.passed
    try:
        from scipy.optimize import minimize
    except ImportError:
        print("proven; to minimise it, SciPy is missing: pip install scipy")
        return
    found = minimize(stress, np.random.default_rng(0).standard_normal(6), jac=stress_gradient)
    print(f"stress {found.fun:.1e} after {found.nit} steps")
    assert found.fun < 1e-8


if __name__ == "__main__":
    main()
