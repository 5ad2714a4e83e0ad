#!/usr/bin/env python3
"""Our Frechet distance beside scipy's sqrtm on the same pairs of d = 2048, in one run, with the same count of threads.

    OMP_NUM_THREADS=2 python scripts/parity/bench_frechet.py [--only SEED ...]

Ours is `cargo bench -p fewstep-eval --bench frechet`. A reference is prepared once, factor and spectrum (for its floor);
then each distance factorises the samples' covariance and sums the singular values. scipy's time is the matrix root alone.
"""

import argparse
import json
import subprocess
import time

import numpy as np
import scipy.linalg
from make_frechet_fixtures import HERE, PAIRS, covariances, exact, numbers


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--only", type=int, nargs="*")
    only = args.parse_args().only
    command = ["cargo", "bench", "--profile", "release", "-p", "fewstep-eval", "--bench", "frechet"]
    lines = subprocess.run(command, cwd=HERE, check=True, capture_output=True, text=True).stdout.splitlines()
    for ours in (json.loads(line) for line in lines if line.startswith("{")):
        if only and ours["seed"] not in only:
            continue
        a, b, planes, shift, butterflies = numbers(PAIRS[ours["seed"]], ours["seed"])
        s1, s2 = covariances(a, b, planes, butterflies)
        start = time.perf_counter()
        root = scipy.linalg.sqrtm(s1 @ s2)
        seconds = time.perf_counter() - start
        fd = np.dot(shift, shift) + np.trace(s1) + np.trace(s2) - 2 * np.trace(root).real
        error = fd / float(exact(a, b, planes, shift)) - 1
        both = ours["reference"] + ours["distance"]
        print(
            f"{PAIRS[ours['seed']]}: ours {ours['distance']:.2f} s a distance, {ours['reference']:.2f} s once a reference, "
            f"error {ours['error']:.1e}; scipy {scipy.__version__} {seconds:.2f} s, error {error:.1e}; "
            f"{seconds / ours['distance']:.1f} times as fast, {seconds / both:.1f} with the preparation",
            flush=True,
        )


if __name__ == "__main__":
    main()
