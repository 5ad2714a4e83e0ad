#!/usr/bin/env python3
"""Write the fixtures that hold our Inception network and its protocols to the tools of the literature.

Made with Python 3.11 and the packages in requirements.txt and requirements-inception.txt beside this file. To run it
again, from the repository's root:

    python scripts/parity/make_inception_fixtures.py eval/tests/fixtures/inception

It needs no network and no GPU: weights and pictures follow from formulas that the Rust tests repeat (`inception_weights.py`
and `picture` below), and no downloaded weights are involved. It writes one file for each protocol:

    torch.safetensors    pytorch-fid's own resize and network
    tf1.safetensors      torch-fidelity's own resize and network
    clean.safetensors    clean-fid's own resize and value map, pytorch-fid's network in the place of its TorchScript file

with, for every picture `HxW` or `HxW-grey`:

    <picture>/<tap>      float32, what the network says there; `spatial` is Mixed_6d.branch1x1, first 7 channels, h w c
    <picture>/input      float32, every 101st value of the network's input [3, 299, 299], from the first
    metadata: <picture>  SHA-256 over the little-endian float32 bytes of the whole input
"""

import hashlib
import sys
from pathlib import Path

import numpy
import torch
from inception_weights import empty_network, splitmix64, state_dict
from safetensors.numpy import save_file

SIZES = [(28, 28, True), (32, 32, False), (64, 64, False), (50, 100, False), (299, 299, False), (512, 512, False)]
STRIDE = 101
MAX_BYTES = 700_000


def picture(height, width, grey):
    """uint8 [height, width, 1 or 3]: slanted triangle waves, a quarter noise."""
    channels = 1 if grey else 3
    y, x, c = numpy.meshgrid(range(height), range(width), range(channels), indexing="ij")
    wave = (255 * x // width + 128 * (c + 1) * y // height) % 511
    with numpy.errstate(over="ignore"):
        noise = splitmix64(65536 * height + width, wave.size) >> numpy.uint64(56)
    wave = numpy.where(wave > 255, 510 - wave, wave)
    return ((3 * wave + noise.astype(numpy.int64).reshape(wave.shape)) // 4).astype(numpy.uint8)


def heads(net, features):
    unbiased = features @ net.fc.weight.T
    return {"2048": features, "logits-unbiased": unbiased, "logits": unbiased + net.fc.bias}


def spatial_hook(net, found):
    def hook(_module, _inputs, output):
        found["spatial"] = output[:, :7].permute(0, 2, 3, 1).flatten(1)

    net.Mixed_6d.branch1x1.register_forward_hook(hook)


def input_hook(net, found):
    net.Conv2d_1a_3x3.register_forward_hook(lambda _module, inputs, _output: found.update(input=inputs[0]))


class Torch:
    def __init__(self, state):
        from pytorch_fid import inception

        self.net = empty_network()
        self.net.load_state_dict(state, strict=False)
        inception.fid_inception_v3 = lambda: self.net
        self.model = inception.InceptionV3([0, 1, 2, 3]).eval()
        self.found = {}
        spatial_hook(self.net, self.found)
        input_hook(self.net, self.found)

    def taps(self, levels):
        from torchvision.transforms.functional import to_tensor

        return self.run(to_tensor(levels)[None])

    def run(self, x):
        blocks = [block.mean((2, 3)) for block in self.model(x)]
        return {"64": blocks[0], "192": blocks[1], "768": blocks[2], **heads(self.net, blocks[3]), **self.found}


class Clean(Torch):
    def __init__(self, state):
        from cleanfid.inception_torchscript import InceptionV3W
        from cleanfid.resize import build_resizer

        super().__init__(state)
        self.model.resize_input = self.model.normalize_input = False
        self.resize = build_resizer("clean")
        self.wrapper = InceptionV3W.__new__(InceptionV3W)
        torch.nn.Module.__init__(self.wrapper)
        self.wrapper.resize_inside = False
        self.wrapper.layers = torch.nn.Module()
        self.wrapper.layers.forward = self.forward

    def forward(self, x):
        self.values = self.run(x)
        return self.values["2048"]

    def taps(self, levels):
        self.wrapper(torch.from_numpy(self.resize(levels).transpose(2, 0, 1).copy())[None])
        return self.values


class Tf1:
    def __init__(self, state):
        from torch_fidelity import feature_extractor_inceptionv3 as module

        names = ["64", "192", "768", "2048", "logits_unbiased", "logits"]
        # It insists on a file; hand it the state in the place of what it would download.
        module.load_state_dict_from_url = lambda *_, **__: dict(state)
        self.names = names
        self.net = module.FeatureExtractorInceptionV3("inception-v3-compat", names).eval()
        self.found = {}
        spatial_hook(self.net, self.found)
        input_hook(self.net, self.found)

    def taps(self, levels):
        out = self.net(torch.from_numpy(levels.transpose(2, 0, 1).copy())[None])
        return {name.replace("_", "-"): value for name, value in zip(self.names, out)} | self.found


def main(folder):
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    state = state_dict()
    for name, tool in (("torch", Torch), ("tf1", Tf1), ("clean", Clean)):
        tool = tool(state)
        tensors, metadata = {}, {}
        for height, width, grey in SIZES:
            levels = picture(height, width, grey)
            levels = numpy.repeat(levels, 3, 2) if grey else levels
            key = f"{height}x{width}" + ("-grey" if grey else "")
            with torch.inference_mode():
                values = {tap: value[0].contiguous().numpy() for tap, value in tool.taps(levels).items()}
            entry = values.pop("input").astype("<f4")
            assert entry.shape == (3, 299, 299)
            metadata[key] = hashlib.sha256(entry.tobytes()).hexdigest()
            tensors[f"{key}/input"] = entry.ravel()[::STRIDE].copy()
            assert len(values) == 7, sorted(values)
            assert all(value.std() > 0 for value in values.values())
            tensors.update({f"{key}/{tap}": value.ravel() for tap, value in values.items()})
        path = folder / f"{name}.safetensors"
        save_file(tensors, path, metadata)
        assert path.stat().st_size <= MAX_BYTES, path
        print(path, path.stat().st_size, {k: float(v.std()) for k, v in values.items()})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
