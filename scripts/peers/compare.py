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
REFERENCE = "eager f32 NCHW"


class Contender:
    def __init__(self, name, command, log):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )

    def ask(self, request):
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            return None


def machine():
    info = Path("/proc/cpuinfo").read_text()
    field = lambda key: next((l.split(": ")[1] for l in info.splitlines() if l.startswith(key)), "?")  # noqa: E731
    flags = sorted(f for f in field("flags").split() if f.startswith(("avx512", "amx")))
    return {
        "processor": f"{field('model name')}, family {field('cpu family')} model {field('model')}",
        "cores": os.cpu_count(),
        "flags": flags,
        "system": platform.platform(),
        "load before": os.getloadavg()[0],
    }


def versions():
    from importlib.metadata import version

    return {p: version(p) for p in ["torch", "diffusers", "onnxruntime", "openvino", "numpy"]}


def contenders(args, threads, log):
    import engines

    python = lambda name: [sys.executable, str(HERE / "worker.py"), name]  # noqa: E731
    files = [str(args.folder / "unet"), str(args.folder / "inputs.safetensors")]
    wanted = args.engines.split(",") if args.engines else [*engines.ENGINES, *OURS]
    out = {}
    for name in wanted:
        command = [str(args.ours), *files, OURS[name]] if name in OURS else [*python(name), *files]
        out[name] = Contender(name, [*command, str(threads)], log)
    return out


def error(got, want):
    return max(abs(a - b) for a, b in zip(got, want)) / max(abs(b) for b in want)


def prepare(fields, batches):
    """Builds and warms everything up; drops who cannot run; gives the error of each output."""
    errors = {}
    for (threads, name), contender in list(fields.items()):
        for batch in batches:
            answer = contender.ask(f"output {batch}")
            if answer is None or contender.ask(f"run {batch} 3") is None:
                print(f"{name} with {threads} threads cannot run batch {batch}: left out", file=sys.stderr)
                del fields[threads, name]
                break
            if batch == batches[-1]:
                errors.setdefault(name, answer["output"])
        print(f"ready: {name}, {threads} threads", file=sys.stderr)
    want = errors[REFERENCE]
    return {name: error(got, want) for name, got in errors.items()}


def race(fields, rooflines, batches, rounds):
    times, sections, ceiling = {}, {}, {}
    for number in range(rounds):
        for batch in batches:
            repeats = max(1, 8 // batch)
            for (threads, name), contender in fields.items():
                # What a contender's threads do after its turn must not fall into the next one's.
                time.sleep(0.02)
                answer = contender.ask(f"run {batch} {repeats + 1}")
                key = (name, batch, threads)
                times.setdefault(key, []).extend(ms / batch for ms in answer["ms"][1:])
                for section, ms in answer.get("sections", {}).items():
                    sections.setdefault(key, {}).setdefault(section, 0.0)
                    sections[key][section] += ms
        for threads, contender in rooflines.items():
            for piece in ["3x3_convolution,_64_channels,_f32", "3x3_convolution,_64_channels,_bf16",
                          "product_2048^3,_f32", "product_2048^3,_bf16"]:  # fmt: skip
                answer = contender.ask(f"run {piece} 3")
                rate = [answer["gflop"] / ms * 1e3 for ms in answer["ms"][1:]]
                ceiling.setdefault((piece.replace("_", " "), threads), []).extend(rate)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
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
    rows = report["rows"]
    batches = sorted({r["batch"] for r in rows})
    threads = sorted({r["threads"] for r in rows})
    columns = [(b, t) for t in threads for b in batches]
    value = {(r["engine"], r["batch"], r["threads"]): r for r in rows}
    lines = ["| ms an image | error | " + " | ".join(f"{b}, {t} thr." for b, t in columns) + " |"]
    lines.append("| --- " * (len(columns) + 2) + "|")
    for name, e in report["errors"].items():
        cells = [f"{value[name, b, t]['ms']:.2f}" if (name, b, t) in value else "–" for b, t in columns]
        lines.append(f"| {name} | {e:.0e} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="written by network.py")
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--engines", help="names with commas between, the reference first")
    parser.add_argument("--batches", default="1,8,64")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--log", type=Path, default=Path("/dev/null"), help="what the peers say on stderr")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    batches = [int(b) for b in args.batches.split(",")]
    threads = [int(t) for t in args.threads.split(",")]
    with args.log.open("w") as log:
        fields = {(t, n): c for t in threads for n, c in contenders(args, t, log).items()}
        roof = [sys.executable, str(HERE / "worker.py"), "roofline", "-", "-"]
        rooflines = {t: Contender("roofline", [*roof, str(t)], log) for t in threads}
        errors = prepare(fields, batches)
        for roofline in rooflines.values():
            roofline.ask("run product_2048^3,_f32 1")
        if args.wait:
            print("ready", flush=True)
            sys.stdin.readline()
        about = machine()
        times, sections, ceiling = race(fields, rooflines, batches, args.rounds)
        about["load after"] = os.getloadavg()[0]
    spread = lambda v: [round(q, 4) for q in statistics.quantiles(v, n=4)[::2]] if len(v) > 1 else []  # noqa: E731
    rows = [
        {"engine": n, "batch": b, "threads": t, "ms": round(statistics.median(v), 4), "quartiles": spread(v)}
        | ({"sections": {k: round(ms, 2) for k, ms in sections[n, b, t].items()}} if (n, b, t) in sections else {})
        for (n, b, t), v in times.items()
    ]
    report = {
        "machine": about,
        "versions": versions(),
        "gflop an image": round(gflop(args.folder), 4),
        "rounds": args.rounds,
        "errors": errors,
        "ceiling GFLOP/s": {f"{n}, {t} threads": round(statistics.median(v), 1) for (n, t), v in ceiling.items()},
        "rows": rows,
    }
    args.output.write_text(json.dumps(report, indent=1) + "\n")
    print(markdown(report))


if __name__ == "__main__":
    main()
