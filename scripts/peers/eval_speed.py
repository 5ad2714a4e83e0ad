#!/usr/bin/env python3
"""Time `fewstep eval fid` against `python -m pytorch_fid`: whole commands, the same pictures, weights and statistics.

    python scripts/peers/eval_speed.py FEWSTEP DATA OUT [-n 2000] [--repeat 1] [--threads 2]

OUT is the folder that scripts/parity/eval_folders.py filled; its weights and training pictures are used. Writes n 32x32
PNGs and a statistics file of other pictures, then runs the two commands by turns and prints wall time, processor time,
peak memory and value of each. Both use the `torch` protocol, which is pytorch-fid's.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy
from PIL import Image


def pictures(data, first, n):
    with gzip.open(data / "train-images-idx3-ubyte.gz") as file:
        file.seek(16 + first * 784)
        return numpy.frombuffer(file.read(n * 784), numpy.uint8).reshape(n, 28, 28)


def write(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        path = folder / f"{i:05}.png"
        if not path.exists():
            Image.fromarray(image).resize((32, 32), Image.BICUBIC).convert("RGB").save(path)


def run(command, env):
    start = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, env=env, text=True)
    out = process.stdout.read()
    # Peak memory is that of this child alone.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{command} failed")
    return out, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fewstep")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("-n", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["fewstep", "pytorch-fid"])
    args = parser.parse_args()
    weights = args.out / "torch" / "hub" / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth"
    folder, stats = args.out / f"speed-{args.n}", args.out / "speed-reference.npz"
    write(folder, pictures(args.data, 0, args.n))
    if not stats.exists():
        # A full-rank reference: the moments of random numbers will do, as the time does not depend on them.
        rng = numpy.random.default_rng(0)
        x = numpy.abs(rng.standard_normal((4096, 2048))) @ (numpy.eye(2048) + 0.01 * rng.standard_normal((2048, 2048)))
        numpy.savez(stats, mu=x.mean(0), sigma=numpy.cov(x, rowvar=False))
    env = dict(os.environ, TORCH_HOME=str(args.out / "torch"), OMP_NUM_THREADS=str(args.threads))
    commands = {
        "fewstep": [args.fewstep, "eval", "fid", folder, stats, "--weights", weights, "--any-weights", "--protocol",
                    "torch", "--json", "--workers", args.threads],
        "pytorch-fid": [sys.executable, "-m", "pytorch_fid", folder, stats, "--device", "cpu"],
    }
    rows = []
    for _ in range(args.repeat):
        for name, command in commands.items():
            if args.only in (None, name):
                out, seconds, cpu, peak = run(command, env)
                value = json.loads(out)["value"] if name == "fewstep" else float(out.split("FID:")[1])
                rows.append({"tool": name, "n": args.n, "seconds": seconds, "cpu": cpu, "peak_mib": peak, "value": value})
                print(json.dumps(rows[-1]), flush=True)
    if args.only is None:
        mean = {name: numpy.mean([r["seconds"] for r in rows if r["tool"] == name]) for name in commands}
        value = {name: next(r["value"] for r in rows if r["tool"] == name) for name in commands}
        a, b = value["fewstep"], value["pytorch-fid"]
        print(f"pytorch-fid / fewstep: {mean['pytorch-fid'] / mean['fewstep']:.2f}; values differ by {abs(a - b) / b:.1e}")


if __name__ == "__main__":
    main()
