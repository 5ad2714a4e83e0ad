#!/usr/bin/env python3
"""Write the fixtures that hold our UNet to diffusers' UNet2DModel.

Made with Python 3.11, torch 2.13.0, diffusers 0.42.1, safetensors 0.8.0 and numpy 2.4.6. To run it again, from the
repository's root:

    python3.11 -m venv .venv && . .venv/bin/activate
    pip install -r scripts/parity/requirements.txt
    python scripts/parity/make_unet_fixtures.py models/tests/fixtures

It needs no network and no GPU, and takes a few seconds. It rewrites, in the folder that is its one argument, README.md
and one folder for each entry of CASES below:

    config.json, diffusion_pytorch_model.safetensors   as UNet2DModel.save_pretrained writes them
    io.safetensors                                     float32 results of one forward pass on the CPU
        in.sample, in.timestep, in.class_labels        the arguments (class_labels only where the model takes them)
        out.sample                                     the result
        mid.<module>                                   what that module returned, to find the first block that differs;
                                                       of a down block, the hidden state and not the skip tensors

A fresh diffusers model has all-zero biases and all-one norm scales, which would let a swapped or forgotten parameter
pass unseen, so every parameter is drawn anew from a seeded generator. The script fails if the saved model does not
give the same bits once reloaded, if a parameter has no influence on the output, or if a folder has grown too big.
"""

import json
import math
import os
import shutil
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import diffusers
import numpy
import safetensors
import torch
from diffusers import UNet2DModel
from safetensors.torch import load_file, save_file

SCRIPT = "scripts/parity/make_unet_fixtures.py"
SEED = 20240
MAX_BYTES = 700_000

# name: (what it is for, UNet2DModel's arguments, sample's shape, timesteps, class labels)
CASES = {
    "unet2d_ddpm": (
        "the layout of the DDPM checkpoints: one-headed attention, unpadded downsampling, sine before cosine",
        dict(
            sample_size=16,
            block_out_channels=(8, 12, 16),
            layers_per_block=2,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=None,
            downsample_padding=0,
            flip_sin_to_cos=False,
            freq_shift=1,
            norm_num_groups=4,
            norm_eps=1e-6,
        ),
        (2, 3, 16, 16),
        torch.tensor([7, 430]),
        None,
    ),
    "unet2d_class": (
        "class labels, one channel at 28-14-7, many-headed attention, float timesteps of either sign",
        dict(
            sample_size=28,
            in_channels=1,
            out_channels=1,
            block_out_channels=(8, 16, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=8,
            norm_num_groups=4,
            num_class_embeds=11,
        ),
        (2, 1, 28, 28),
        torch.tensor([-1200.5, 310.25]),
        torch.tensor([3, 10]),
    ),
    "unet2d_scale_shift": (
        "time as scale and shift, its own group count in the middle attention, centred input, height unlike width",
        dict(
            sample_size=(16, 8),
            out_channels=6,
            center_input_sample=True,
            block_out_channels=(16, 24),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=8,
            norm_num_groups=8,
            attn_norm_num_groups=4,
            resnet_time_scale_shift="scale_shift",
            add_attention=True,
        ),
        (2, 3, 16, 8),
        torch.tensor([0, 999]),
        None,
    ),
}


def randomise(model, gen):
    """Give every parameter a value of its own.

    Branches have activations near one; what is added to the residual stream is about a tenth of that, so that a wrong
    norm_eps, which matters only beside a small variance, changes the output by far more than rounding does.
    """
    adds = ("conv_in", "conv2", "to_out.0")
    carries = ("conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv")
    drawn = set()
    for path, module in model.named_modules():
        for name, param in module.named_parameters(recurse=False):
            noise = torch.randn(param.shape, generator=gen)
            if isinstance(module, torch.nn.GroupNorm):
                value = 0.25 * noise + (1.0 if name == "weight" else 0.0)
            elif isinstance(module, torch.nn.Embedding):
                value = 0.5 * noise
            elif name == "bias":
                value = (0.02 if path.endswith(adds + carries) else 0.2) * noise
            else:
                # queries and keys larger, or the softmax would be nearly flat and hide a wrong head split or scale
                gain = 1.5 if path.endswith(("to_q", "to_k")) else 0.08 if path.endswith(adds) else 0.8
                value = gain * noise / math.sqrt(param[0].numel())
            with torch.no_grad():
                param.copy_(value)
            drawn.add(f"{path}.{name}")
    missed = {name for name, _ in model.named_parameters()} - drawn
    assert not missed, f"left as they were initialised: {missed}"


def run(model, inputs):
    """One forward pass: the output, and what the modules worth comparing returned."""
    watched = ["time_proj", "time_embedding", "class_embedding", "conv_in", "mid_block"]
    watched += [f"{side}_blocks.{i}" for side in ("down", "up") for i in range(len(model.down_blocks))]
    modules, seen, hooks = dict(model.named_modules()), {}, []
    for name in watched:
        if name not in modules:
            continue

        def keep(_module, _args, result, name=name):
            seen[f"mid.{name}"] = (result[0] if isinstance(result, tuple) else result).detach().clone()

        hooks.append(modules[name].register_forward_hook(keep))
    with torch.no_grad():
        out = model(**inputs).sample
    for hook in hooks:
        hook.remove()
    return {"out.sample": out} | seen


def in_float64(model, inputs):
    """The output in float64: with the float32 sinusoids that diffusers always makes, and with float64 ones."""
    model.double()
    inputs = inputs | {"sample": inputs["sample"].double()}
    outs = [run(model, inputs)["out.sample"]]
    cfg = model.config

    def sinusoids(t):
        half = cfg.block_out_channels[0] // 2
        rate = torch.exp(-math.log(10000.0) * torch.arange(half).double() / (half - cfg.freq_shift))
        angle = t.double()[:, None] * rate
        pair = [angle.sin(), angle.cos()]
        return torch.cat(pair[::-1] if cfg.flip_sin_to_cos else pair, -1)

    model.time_proj.forward = sinusoids
    return outs + [run(model, inputs)["out.sample"]]


def weakest_parameter(model, inputs):
    """The parameter whose gradient is smallest; fails if there is one that cannot matter."""
    model.double().zero_grad()
    out = model(**inputs | {"sample": inputs["sample"].double()}).sample
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    (out * weights).sum().backward()
    # a key's bias moves all logits of a query alike, so softmax takes it out again: the one kind that cannot matter
    sizes = {n: p.grad.abs().max().item() for n, p in model.named_parameters() if not n.endswith("to_k.bias")}
    name = min(sizes, key=sizes.get)
    assert sizes[name] > 1e-3, f"{name} does not matter: {sizes[name]}"
    return name, sizes[name]


def make(folder, case, index, versions):
    _about, args, shape, timestep, labels = case
    gen = torch.Generator().manual_seed(SEED + index)
    model = UNet2DModel(**args).eval()
    randomise(model, gen)
    sample = torch.randn(shape, generator=gen)
    inputs = {"sample": sample, "timestep": timestep} | ({} if labels is None else {"class_labels": labels})

    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    io = {f"in.{k}": v for k, v in inputs.items()} | run(model, inputs)
    # one key only: safetensors writes several in no fixed order
    about = json.dumps({"script": SCRIPT, "seed": SEED + index, "versions": versions})
    io = {k: v.contiguous() for k, v in io.items()}
    assert all(v.isfinite().all() for v in io.values())
    save_file(io, folder / "io.safetensors", metadata={"made_by": about})
    for file in folder.iterdir():
        file.chmod(0o644)

    reload = lambda: UNet2DModel.from_pretrained(folder, low_cpu_mem_usage=False, local_files_only=True).eval()
    stored = load_file(folder / "io.safetensors")
    again = {f"in.{k}": v for k, v in inputs.items()} | run(reload(), inputs)
    assert stored.keys() == again.keys()
    for key, value in again.items():
        assert stored[key].dtype == value.dtype and torch.equal(stored[key], value), f"{key} changed on reloading"

    out = io["out.sample"]
    gap, gap_time = ((out.double() - ref).abs().max().item() for ref in in_float64(reload(), inputs))
    weakest, size = weakest_parameter(reload(), inputs)
    total = sum(f.stat().st_size for f in folder.iterdir())
    assert total <= MAX_BYTES, f"{folder} is {total} bytes"
    print(
        f"{folder.name}: {model.num_parameters()} parameters, {total} bytes; output std {out.std():.3f}, "
        f"max {out.abs().max():.3f}; max |float32 - float64| {gap:.2e}, {gap_time:.2e} with float64 sinusoids; "
        f"reloaded: same bits; weakest parameter {weakest} (gradient {size:.1e})"
    )
    for key, value in io.items():
        print(f"    {key:22s} {str(value.dtype)[6:]:8s} {str(list(value.shape)):18s} std {value.double().std():.3f}")
    return total, gap, gap_time


def readme(results, versions):
    rows = "\n".join(
        f"| `{name}` | {CASES[name][0]} | {total // 1000} | {gap:.1e} | {gap_time:.1e} |"
        for name, (total, gap, gap_time) in results.items()
    )
    facts = {"script": SCRIPT, "seed": SEED, "versions": versions}
    return f"""# Parity fixtures

Small models with random weights, and what diffusers' `UNet2DModel` returns for them in float32 on the CPU. They were
written by `{SCRIPT}`, which also writes this file; its head tells how to run it and
what each tensor is. The n-th folder (from 0) is drawn with the seed plus n.

```json
{json.dumps(facts, indent=2)}
```

| folder | covers | kB | off float64 | with float64 sinusoids |
| --- | --- | --- | --- | --- |
{rows}

"Off float64" is the largest absolute difference between the stored output and the same model run in float64. diffusers
makes the sinusoids of the timestep in float32 even then; the last column has them in float64 too.
"""


def main():
    if len(sys.argv) != 2:
        sys.exit(f"usage: python {SCRIPT} FOLDER")
    out = Path(sys.argv[1])
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    versions = {
        "python": "{}.{}".format(*sys.version_info),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "safetensors": safetensors.__version__,
        "numpy": numpy.__version__,
    }
    out.mkdir(parents=True, exist_ok=True)
    results = {name: make(out / name, case, i, versions) for i, (name, case) in enumerate(CASES.items())}
    (out / "README.md").write_text(readme(results, versions))
    print(f"{sum(r[0] for r in results.values())} bytes in all")


if __name__ == "__main__":
    main()
