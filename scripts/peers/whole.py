#!/usr/bin/env python3
"""Time and memory of the whole command, start-up included, against a script that does the same with diffusers.

    python network.py /tmp/net
    python whole.py /tmp/net --ours target/release/fewstep -o docs/speed/whole.json

Same weights, 256 images of 10 steps of DDIM, PNGs written; the commands take turns.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from compare import HERE, machine

IMAGES, STEPS = 256, 10


def commands(args):
    python = [sys.executable, str(HERE / "sample.py"), str(args.folder)]
    ours = [str(args.ours), "generate", "-m", str(args.folder), "--compat", "diffusers", "--solver", "ddim",
            "--steps", str(STEPS), "--seeds", f"0-{IMAGES - 1}", "--device", "cpu"]  # fmt: skip
    out = {
        "diffusers, eager f32": [*python, "OUT"],
        "diffusers, eager bf16": [*python, "OUT", "--bf16"],
        "diffusers, torch.compile bf16": [*python, "OUT", "--bf16", "--compile"],
        "fewstep f32": [*ours, "-o", "OUT"],
        "fewstep bf16": [*ours, "--dtype", "bf16", "-o", "OUT"],
        "fewstep, 1 image, 1 step": [*ours[:-6], "--steps", "1", "--seeds", "0", "--device", "cpu", "-o", "OUT"],
    }
    return out if args.compile else {k: v for k, v in out.items() if "compile" not in k}


def once(command):
    """Seconds, processor seconds, and the largest resident set in MB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [folder if part == "OUT" else part for part in command]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status != 0:
            sys.exit(f"failed with status {status}: {' '.join(command)}")
        count = len(list(Path(folder).glob("0*.png")))
    return {"seconds": seconds, "cpu": usage.ru_utime + usage.ru_stime, "MB": usage.ru_maxrss / 1024, "pictures": count}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="torch.compile too; its first run fills its cache")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    contenders = commands(args)
    about = machine()
    runs = {name: [] for name in contenders}
    for number in range(args.rounds):
        for name, command in contenders.items():
            runs[name].append(once(command))
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
    about["load after"] = os.getloadavg()[0]
    median = {n: {k: round(statistics.median(r[k] for r in v), 3) for k in v[0]} for n, v in runs.items()}
    args.output.write_text(json.dumps({"machine": about, "median": median, "runs": runs}, indent=1) + "\n")
    print("| command | seconds | processor seconds | peak MB | pictures |\n| --- | --- | --- | --- | --- |")
    for name, m in median.items():
        print(f"| {name} | {m['seconds']:.2f} | {m['cpu']:.2f} | {m['MB']:.0f} | {m['pictures']} |")


if __name__ == "__main__":
    main()
