#!/usr/bin/env python3
"""Pairs of Gaussians whose Frechet distance is known exactly -> eval/tests/fixtures/frechet.json.

    python scripts/parity/make_frechet_fixtures.py [--scipy-up-to 512]

A pair follows from a few numbers, so that both sides can build it and no matrix is stored. With standard deviations
a, b (some of them zero), planes (k, k + d/2) turned by an angle each, and a dense orthogonal Q made of butterflies:

    S1 = Q diag(a^2) Q^T,    S2 = Q R diag(b^2) R^T Q^T

tr (S1 S2)^(1/2) is the sum of singular values of diag(a) R diag(b), which falls into 2x2 blocks B with
sqrt(|B|_F^2 + 2 |det B|) each. The sum is taken here with 50 digits; for d <= 16 an eigenvalue solver of 50 digits
confirms it. What scipy's sqrtm makes of the same pair is written beside it, for comparison only.
"""

import argparse
import json
import pathlib

import mpmath
import numpy as np
import scipy.linalg

mpmath.mp.dps = 50
HERE = pathlib.Path(__file__).resolve().parents[2]
# d, rank of S1, rank of S2, exponents of the decay of the standard deviations.
PAIRS = [
    (2, 2, 2, 0.0, 0.0), (4, 4, 4, 1.0, 0.5), (8, 8, 8, 0.5, 0.5), (16, 16, 16, 1.0, 1.0), (16, 16, 5, 0.5, 0.5),
    (32, 32, 32, 2.0, 2.0), (64, 64, 64, 1.0, 0.7), (64, 64, 20, 0.5, 1.0), (64, 30, 20, 0.5, 0.5),
    (128, 128, 128, 0.0, 0.3), (128, 128, 128, 2.5, 2.5), (192, 192, 192, 1.0, 1.0), (256, 100, 256, 1.0, 1.0),
    (256, 90, 130, 0.7, 0.7), (512, 512, 512, 1.0, 1.2), (512, 512, 300, 0.5, 0.5), (1024, 1024, 1024, 1.0, 1.0),
    (2048, 2048, 2048, 0.8, 0.8), (2048, 2048, 500, 1.0, 1.0), (2048, 700, 500, 0.5, 0.5),
]


class Lcg:
    """The generator of the tests: 64-bit congruential, upper 53 bits."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return ((self.state >> 11) + 0.5) / (1 << 53)


def numbers(pair, seed):
    d, rank1, rank2, p1, p2 = pair
    rng = Lcg(seed)
    sd = lambda rank, p: [(0.5 + rng.uniform()) * (1.0 + i) ** -p if i < rank else 0.0 for i in range(d)]
    a, b = sd(rank1, p1), sd(rank2, p2)
    planes = [np.pi * rng.uniform() for _ in range(d // 2)]
    shift = [0.1 * rng.uniform() for _ in range(d)]
    butterflies = []
    stride = 1
    while stride < d:
        butterflies.append([np.pi * rng.uniform() for _ in range(d // 2)])
        stride *= 2
    return a, b, planes, shift, butterflies


def rotate(rows, angles, stride):
    """Turns each pair of rows (i, i + stride), i running over blocks of 2 * stride."""
    d = len(rows)
    low = np.array([i for i in range(d) if i % (2 * stride) < stride and i + stride < d])
    c, s = np.cos(angles[: len(low)])[:, None], np.sin(angles[: len(low)])[:, None]
    x, y = rows[low].copy(), rows[low + stride].copy()
    rows[low], rows[low + stride] = c * x - s * y, s * x + c * y


def covariances(a, b, planes, butterflies):
    d = len(a)
    first, second = np.diag(a), np.diag(b)
    rotate(second, planes, d // 2)
    for level, angles in enumerate(butterflies):
        rotate(first, angles, 1 << level)
        rotate(second, angles, 1 << level)
    return first @ first.T, second @ second.T


def exact(a, b, planes, shift):
    mp = mpmath.mpf
    h = len(a) // 2
    overlap = mp(0)
    for k, angle in enumerate(planes):
        c, s = mpmath.cos(mp(angle)), mpmath.sin(mp(angle))
        a1, a2, b1, b2 = mp(a[k]), mp(a[k + h]), mp(b[k]), mp(b[k + h])
        squares = (a1 * c * b1) ** 2 + (a1 * s * b2) ** 2 + (a2 * s * b1) ** 2 + (a2 * c * b2) ** 2
        overlap += mpmath.sqrt(squares + 2 * a1 * a2 * b1 * b2)
    return sum(mp(x) ** 2 for x in shift) + sum(mp(x) ** 2 for x in a + b) - 2 * overlap


def exact_by_eigenvalues(a, b, planes, shift):
    """diag(a) R diag(b^2) R^T diag(a) with 50 digits."""
    d, h = len(a), len(a) // 2
    turn = mpmath.eye(d)
    for k, angle in enumerate(planes):
        c, s = mpmath.cos(mpmath.mpf(angle)), mpmath.sin(mpmath.mpf(angle))
        turn[k, k], turn[k, k + h], turn[k + h, k], turn[k + h, k + h] = c, -s, s, c
    root = mpmath.diag(a) * turn * mpmath.diag(b)
    values = mpmath.eigsy(root * root.T, eigvals_only=True)
    overlap = sum(mpmath.sqrt(max(v, 0)) for v in values)
    return sum(mpmath.mpf(x) ** 2 for x in shift) + sum(mpmath.mpf(x) ** 2 for x in a + b) - 2 * overlap


def scipy_distance(a, b, planes, shift, butterflies):
    s1, s2 = covariances(a, b, planes, butterflies)
    root = scipy.linalg.sqrtm(s1 @ s2)
    return float(np.dot(shift, shift) + np.trace(s1) + np.trace(s2) - 2 * np.trace(root).real)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--scipy-up-to", type=int, default=512)
    limit = args.parse_args().scipy_up_to
    out = []
    for seed, pair in enumerate(PAIRS):
        a, b, planes, shift, butterflies = numbers(pair, seed)
        value = exact(a, b, planes, shift)
        if pair[0] <= 16:
            assert abs(value - exact_by_eigenvalues(a, b, planes, shift)) < mpmath.mpf(10) ** -20
        entry = dict(zip(("d", "rank1", "rank2", "p1", "p2"), pair), seed=seed, exact=float(value))
        if pair[0] <= limit:
            entry["scipy"] = scipy_distance(a, b, planes, shift, butterflies)
            print(pair, f"scipy is off by {entry['scipy'] / float(value) - 1:.1e}")
        out.append(entry)
    path = HERE / "eval/tests/fixtures/frechet.json"
    path.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in out) + "\n]\n")


if __name__ == "__main__":
    main()
