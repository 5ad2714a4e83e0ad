#!/usr/bin/env python3
"""Write the formula weights of the 2015 Inception network as a PyTorch checkpoint.

    python scripts/parity/inception_weights.py OUT.pth [--zip]

The values are those of `formula_weights` in eval/src/feature/inception/formula.rs, bit for bit; they mean nothing, but any
implementation of the network can be given them. Without --zip the file is in the format of before PyTorch 1.6, which
is also that of the published weights. Names and shapes come from torchvision's layout as pytorch-fid adapts it, so that
they are not those of our own list. Needs torch, torchvision and pytorch-fid; no network.
"""

import sys

import numpy
import torch
from pytorch_fid import inception

GAMMA = numpy.uint64(0x9E3779B97F4A7C15)


def fnv1a(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


def splitmix64(seed, count):
    """The first `count` outputs of SplitMix64 from the state `seed`."""
    z = numpy.uint64(seed) + numpy.arange(1, count + 1, dtype=numpy.uint64) * GAMMA
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return z ^ (z >> numpy.uint64(31))


def centre_and_width(name, shape):
    part = name.rsplit(".", 1)[1]
    if part in ("running_mean", "bias"):
        return 0.0, 0.5
    if part == "weight" and len(shape) > 1:
        return 0.0, (6.0 / numpy.prod(shape[1:])) ** 0.5
    return 1.0, 0.5


def formula(name, shape):
    centre, width = centre_and_width(name, shape)
    with numpy.errstate(over="ignore"):
        bits = splitmix64(fnv1a(name), int(numpy.prod(shape))) >> numpy.uint64(40)
    unit = bits.astype(numpy.float64) / 2.0**24
    return torch.from_numpy((centre + width * (2.0 * unit - 1.0)).astype(numpy.float32).reshape(shape))


def empty_network():
    """pytorch-fid's network without the download of its weights."""
    download, load = inception.load_state_dict_from_url, torch.nn.Module.load_state_dict
    inception.load_state_dict_from_url = lambda *_, **__: None
    torch.nn.Module.load_state_dict = lambda self, state, *args, **kw: state and load(self, state, *args, **kw)
    try:
        return inception.fid_inception_v3().eval()
    finally:
        inception.load_state_dict_from_url, torch.nn.Module.load_state_dict = download, load


def state_dict():
    names = {n: tuple(t.shape) for n, t in empty_network().state_dict().items() if not n.endswith("tracked")}
    assert len(names) == 472, len(names)
    return {name: formula(name, shape) for name, shape in names.items()}


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--zip"]
    if len(arguments) != 1:
        sys.exit(__doc__)
    torch.save(state_dict(), arguments[0], _use_new_zipfile_serialization="--zip" in sys.argv)
