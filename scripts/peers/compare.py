#!/usr/bin/env python3
"""Race the CPU engine against the peers: same weights, same inputs, in turns, in one run.

    python network.py /tmp/net
    cargo bench -p fewstep-models --bench peer --no-run          # prints the path of our contender
    python compare.py /tmp/net --ours target/release/deps/peer-... -o docs/speed/network.json

Every contender is a process of its own that waits until it is asked. A round asks each of them once at every batch size and
thread count; figures are medians over the rounds. With --wait, everything is built and warmed up first, and the race begins
at a line on stdin: time enough to make the machine quiet.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
OURS = {"ours f32": "f32", "ours bf16": "bf16"}
PIECES = ["conv3x3x64-f32", "conv3x3x64-bf16", "product2048-f32", "product2048-bf16"]


class Contender:
    def __init__(self, command, log):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)

    def ask(self, *request):
        """None if the contender has died."""
        try:
            print(*request, file=self.process.stdin, flush=True)
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            return None


def machine():
    lines = [line.split(": ") for line in Path("/proc/cpuinfo").read_text().splitlines() if ": " in line]
    field = {key.strip(): value for key, value in lines}
    return {
        "processor": f"{field['model name']}, family {field['cpu family']} model {field['model']}",
        "cores": os.cpu_count(),
        "flags": sorted(f for f in field["flags"].split() if f.startswith(("avx512", "amx"))),
        "system": platform.platform(),
        "load before": os.getloadavg()[0],
    }


def versions():
    from importlib.metadata import version

    return {p: version(p) for p in ["torch", "diffusers", "onnxruntime", "openvino", "numpy"]}


def start(args, log):
    files = [str(args.folder / "unet"), str(args.folder / "inputs.safetensors")]
    worker = [sys.executable, str(HERE / "worker.py")]
    command = lambda name: [str(args.ours), *files, OURS[name]] if name in OURS else [*worker, name, *files]  # noqa: E731
    return {name: Contender(command(name), log) for name in args.engines}, Contender([*worker, "roofline"], log)


def error(got, want):
    return max(abs(a - b) for a, b in zip(got, want)) / max(abs(b) for b in want)


def prepare(contenders, batches, threads):
    """Builds and warms everything up; drops who cannot run; gives the error of each output."""
    outputs = {}
    for name, contender in list(contenders.items()):
        for batch, count in [(b, t) for b in batches for t in threads]:
            answer = contender.ask("output", batch, count)
            if answer is None or contender.ask("run", batch, count, 2) is None:
                print(f"{name} cannot run batch {batch}: left out", file=sys.stderr)
                del contenders[name]
                break
            outputs[name] = answer["output"]
        print(f"ready: {name}", file=sys.stderr, flush=True)
    reference = next(iter(outputs.values()))
    return {name: error(got, reference) for name, got in outputs.items()}


def race(contenders, roofline, cells, threads, rounds):
    times, sections, ceiling = {}, {}, {}
    for number in range(rounds):
        for batch, count in cells:
            for name, contender in contenders.items():
                time.sleep(0.01)  # threads of the last one may still spin
                answer = contender.ask("run", batch, count, 1 + max(1, 8 // batch))
                key = (name, batch, count)
                times.setdefault(key, []).extend(ms / batch for ms in answer["ms"][1:])
                if name in OURS:
                    for section, ms in contender.ask("profile", batch, count, 1)["sections"].items():
                        sections.setdefault(key, {}).setdefault(section, 0.0)
                        sections[key][section] += ms
        for piece, count in [(p, t) for p in PIECES for t in threads]:
            answer = roofline.ask("run", piece, count, 3)
            ceiling.setdefault((piece, count), []).extend(answer["gflop"] / ms * 1e3 for ms in answer["ms"][1:])
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return times, sections, ceiling


def gflop(folder):
    import engines
    import torch
    from safetensors.torch import load_file
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        engines.load(folder / "unet")(*engines.arguments(load_file(folder / "inputs.safetensors"), 1))
    return counter.get_total_flops() / 1e9


def markdown(report):
    value = {(r["engine"], r["threads"], r["batch"]): r["ms"] for r in report["rows"]}
    cells = sorted({key[1:] for key in value})
    head = [f"batch {b}, {t} thread{'s' * (t > 1)}" for t, b in cells]
    lines = [f"| ms an image | error | {' | '.join(head)} |", "| --- " * (len(cells) + 2) + "|"]
    for name, e in report["errors"].items():
        lines.append(f"| {name} | {e:.0e} | " + " | ".join(f"{value[name, *cell]:.2f}" for cell in cells) + " |")
    lines += ["", "| GFLOP/s | " + " | ".join(report["ceiling GFLOP/s"]) + " |"]
    lines.append("| --- " * (len(report["ceiling GFLOP/s"]) + 1) + "|")
    lines.append("| measured | " + " | ".join(f"{v:.0f}" for v in report["ceiling GFLOP/s"].values()) + " |")
    return "\n".join(lines)


def main():
    import engines

    numbers = lambda text: [int(n) for n in text.split(",")]  # noqa: E731
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="written by network.py")
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--engines", type=lambda text: text.split(","), default=[*engines.ENGINES, *OURS])
    parser.add_argument("--batches", type=numbers, default=[1, 8, 64])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--log", type=Path, default=Path("/dev/null"), help="what the contenders say on stderr")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    cells = [(b, t) for b in args.batches for t in args.threads]
    with args.log.open("w") as log:
        contenders, roofline = start(args, log)
        errors = prepare(contenders, args.batches, args.threads)
        for piece in PIECES:
            roofline.ask("run", piece, 1, 1)
        flops = gflop(args.folder)
        if args.wait:
            print("ready", flush=True)
            sys.stdin.readline()
        about = machine()
        times, sections, ceiling = race(contenders, roofline, cells, args.threads, args.rounds)
        about["load after"] = os.getloadavg()[0]
    rows = []
    for (name, batch, count), ms in times.items():
        quartiles = [round(q, 4) for q in statistics.quantiles(ms, n=4)[::2]] if len(ms) > 1 else []
        row = {"engine": name, "batch": batch, "threads": count, "ms": round(statistics.median(ms), 4)}
        row["quartiles"] = quartiles
        if spent := sections.get((name, batch, count)):
            row["per cent"] = {k: round(100 * v / sum(spent.values()), 1) for k, v in spent.items()}
        rows.append(row)
    report = {
        "machine": about,
        "versions": versions(),
        "gflop an image": round(flops, 4),
        "rounds": args.rounds,
        "errors": errors,
        "ceiling GFLOP/s": {f"{n}, {t} threads": round(statistics.median(v), 1) for (n, t), v in ceiling.items()},
        "rows": rows,
    }
    args.output.write_text(json.dumps(report, indent=1) + "\n")
    print(markdown(report))


if __name__ == "__main__":
    main()
