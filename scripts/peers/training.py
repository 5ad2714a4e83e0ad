#!/usr/bin/env python3
"""What a training step costs in libtorch by layout and dtype, forward and backward apart: whether either would pay.

    python network.py /tmp/net --from models/zoo/fmnist-edm && python training.py /tmp/net --batch 64
"""

import argparse
import statistics
import time
from pathlib import Path

import engines
import torch
from safetensors.torch import load_file


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    inputs = load_file(args.folder / "inputs.safetensors")
    x, t, label = engines.arguments(inputs, args.batch)

    def contender(layout, bf16):
        net = engines.load(args.folder / "unet").to(memory_format=layout)
        image = x.to(memory_format=layout)

        def step():
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = net(image, t, label).float().square().mean()
            middle = time.perf_counter()
            net.zero_grad()
            loss.backward()
            return 1e3 * (middle - start), 1e3 * (time.perf_counter() - middle)

        return step

    steps = {
        "f32 NCHW": contender(torch.contiguous_format, False),
        "f32 NHWC": contender(torch.channels_last, False),
        "bf16 NHWC, autocast": contender(torch.channels_last, True),
    }
    for step in steps.values():
        step()
    times = {name: [] for name in steps}
    for _ in range(args.rounds):
        for name, step in steps.items():
            times[name].append(step())
    print("| ms a step | forward | backward |\n| --- | --- | --- |")
    for name, pairs in times.items():
        forward, backward = (statistics.median(column) for column in zip(*pairs))
        print(f"| {name} | {forward:.0f} | {backward:.0f} |")


if __name__ == "__main__":
    main()
