#!/usr/bin/env python3
"""Write a model folder for the peers to run: random weights, and inputs.

    python network.py FOLDER [--size 28] [--channels 32,64,64]
    python network.py FOLDER --from models/zoo/fmnist-edm

FOLDER/unet/   config.json and weights in f32, as UNet2DModel.save_pretrained writes them
FOLDER/fewstep.json   says to fewstep that the network predicts noise along the DDPM table
FOLDER/inputs.safetensors   x [256, c, h, w], t [256], class [256]
"""

import argparse
import json
from pathlib import Path

import torch
from diffusers import UNet2DModel
from safetensors.torch import save_file


def fresh(size, channels):
    levels = len(channels)
    model = UNet2DModel(
        sample_size=size,
        in_channels=1,
        out_channels=1,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D",) + ("AttnDownBlock2D",) * (levels - 1),
        up_block_types=("AttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
        attention_head_dim=32,
        num_class_embeds=11,
        norm_num_groups=32,
    )
    # Zero biases and unit norms would hide a forgotten parameter from the comparison of outputs.
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                p.add_(0.1 * torch.randn_like(p))
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--channels", default="32,64,64")
    parser.add_argument("--from", dest="source", type=Path)
    args = parser.parse_args()
    torch.manual_seed(0)
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.source:
        model = UNet2DModel.from_pretrained(args.source, subfolder="unet", variant="fp16", low_cpu_mem_usage=False)
        spec = json.loads((args.source / "fewstep.json").read_text())
    else:
        model = fresh(args.size, tuple(int(c) for c in args.channels.split(",")))
        table = {"name": "discrete", "betas": "linear", "beta_0": 0.0001, "beta_1": 0.02, "rows": 1000}
        spec = {
            "version": 1,
            "path": table,
            "sample_path": table,
            "prediction": {"type": "eps"},
            "time": {"input": "scaled", "scale": 1.0},
            "shape": [1, args.size, args.size],
            "classes": 10,
        }
    model.save_pretrained(args.folder / "unet")
    (args.folder / "fewstep.json").write_text(json.dumps(spec, indent=2) + "\n")
    n, size = 256, model.config.sample_size
    save_file(
        {
            "x": torch.randn(n, model.config.in_channels, size, size),
            "t": torch.linspace(0, 999, n),
            "class": torch.arange(n) % model.config.num_class_embeds,
        },
        args.folder / "inputs.safetensors",
    )
    print(f"{args.folder}: {sum(p.numel() for p in model.parameters())} weights")


if __name__ == "__main__":
    main()
