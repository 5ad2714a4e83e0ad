#!/usr/bin/env python3
"""Cost of our engine against batch size, image size and steps. Batches and steps should cost straight lines; pixels too, but
for attention, which grows with their square. The fit says how straight.

    for s in 28 32 48 64; do python network.py /tmp/net$s --size $s; done
    python scaling.py /tmp/net28 /tmp/net32 /tmp/net48 /tmp/net64 --peer target/release/deps/peer-... --ours target/release/fewstep \\
        -o docs/speed/scaling.json

Rounds in turns over all cells, medians.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from compare import Contender, machine

BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256]
STEPS = [1, 2, 5, 10, 20, 50]


def fit(terms, ys):
    """Least squares of the relative error, so that a line fits the small values too: factors of the terms (columns of
    numbers), and the largest relative distance."""
    columns = np.array(terms, dtype=float).T / np.array(ys)[:, None]
    factors = np.linalg.lstsq(columns, np.ones(len(ys)), rcond=None)[0]
    return [float(f) for f in factors], float(np.abs(columns @ factors - 1).max())


def generate(args, steps):
    with tempfile.TemporaryDirectory() as out:
        command = [args.ours, "generate", "-m", args.folders[0], "--device", "cpu", "--solver", "ddim",
                   "--steps", steps, "--seeds", "0-127", "-o", out]  # fmt: skip
        start = time.perf_counter()
        subprocess.run([str(c) for c in command], check=True, capture_output=True)
        return 1e3 * (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+", help="the first one is measured at all batch sizes")
    parser.add_argument("--peer", type=Path, required=True)
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    files = lambda folder: [str(folder / "unet"), str(folder / "inputs.safetensors")]  # noqa: E731
    engines = [Contender([str(args.peer), *files(f), "f32"], subprocess.DEVNULL) for f in args.folders]
    sizes = [json.loads((f / "fewstep.json").read_text())["shape"][1] for f in args.folders]
    for engine in engines:
        engine.ask("run", 256, 2, 1)
    about = machine()
    batch, size, steps = {}, {}, {}
    for _ in range(args.rounds):
        for threads in [1, 2]:
            for b in BATCHES:
                ms = engines[0].ask("run", b, threads, 1 + max(1, 8 // b))["ms"][1:]
                batch.setdefault((threads, b), []).extend(ms)
        for s, engine in zip(sizes, engines):
            size.setdefault(s, []).append(engine.ask("run", 16, 1, 2)["ms"][1] / 16)
    for _ in range(2):
        for n in STEPS:
            steps.setdefault(n, []).append(generate(args, n))
    lines = {}
    for threads in [1, 2]:
        name = f"ms a batch of n images, {threads} thread{'s' * (threads > 1)}"
        lines[name] = BATCHES, [statistics.median(batch[threads, b]) for b in BATCHES], ["1", "n"]
    pixels = [s * s for s in sizes]
    name = "ms an image of n pixels, batch 16, 1 thread"
    lines[name] = pixels, [statistics.median(size[s]) for s in sizes], ["n", "n^2"]
    lines["ms a command of n steps, 128 images"] = STEPS, [statistics.median(steps[n]) for n in STEPS], ["1", "n"]
    report = {"machine": about, "lines": {}}
    print("| what | line | largest distance from it |\n| --- | --- | --- |")
    for name, (xs, ys, terms) in lines.items():
        column = {"1": [1] * len(xs), "n": xs, "n^2": [x * x for x in xs]}
        factors, worst = fit([column[t] for t in terms], ys)
        report["lines"][name] = {"n": xs, "ms": ys, "terms": terms, "factors": factors, "worst": worst}
        line = " + ".join(f"{f:.3g}" + f" {t}" * (t != "1") for f, t in zip(factors, terms))
        print(f"| {name} | {line} | {100 * worst:.1f} % |")
    for name, (xs, ys, _) in lines.items():
        cells = [f"{y:.1f}" if y >= 10 else f"{y:.2f}" for y in ys]
        print(f"\n| n | {' | '.join(map(str, xs))} |\n{'| --- ' * (len(xs) + 1)}|\n| {name} | {' | '.join(cells)} |")
    args.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
