"""What a user of diffusers writes to do what `fewstep generate --compat diffusers --solver ddim` does.

    python sample.py FOLDER OUT --images 256 --steps 10 --batch 64 [--bf16] [--compile]
"""

import argparse
from pathlib import Path

import torch
from diffusers import DDIMScheduler, UNet2DModel
from PIL import Image


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    dtype = torch.bfloat16 if args.bf16 else torch.float32
    torch.set_grad_enabled(False)
    net = UNet2DModel.from_pretrained(args.folder / "unet", torch_dtype=dtype, low_cpu_mem_usage=False).eval()
    net = net.to(memory_format=torch.channels_last)
    size, channels = net.config.sample_size, net.config.in_channels
    if args.compile:
        net = torch.compile(net, dynamic=False)
    scheduler = DDIMScheduler(beta_start=0.0001, beta_end=0.02, clip_sample=False)
    scheduler.set_timesteps(args.steps)
    args.out.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    for start in range(0, args.images, args.batch):
        count = min(args.batch, args.images - start)
        x = torch.randn(count, channels, size, size, generator=generator)
        label = torch.arange(start, start + count) % 10
        for t in scheduler.timesteps:
            eps = net(x.to(dtype), t, class_labels=label, return_dict=False)[0].float()
            x = scheduler.step(eps, t, x).prev_sample
        pixels = (x * 127.5 + 128).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
        for i, image in enumerate(pixels, start):
            Image.fromarray(image.squeeze(-1)).save(args.out / f"{i:06}.png")


main()
