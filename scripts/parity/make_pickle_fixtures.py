#!/usr/bin/env python3
"""Write small checkpoints as torch.save writes them, for the tests of the pickle reader.

Made with Python 3.11 and the packages in requirements.txt. To run it again, from the repository's root:

    python scripts/parity/make_pickle_fixtures.py eval/tests/fixtures/pickle

legacy.pth and archive.pth hold the same: the state of a module, an OrderedDict with attributes, whose tensors are two views of
one storage, a parameter, a scalar and several types. legacy4.pth is legacy.pth under protocol 4 of pickle.
"""

import sys
from pathlib import Path

import torch


def state():
    module = torch.nn.BatchNorm1d(2)
    shared = torch.arange(12, dtype=torch.float32)
    tensors = module.state_dict()
    tensors["first"] = shared[:6].view(2, 3)
    tensors["second"] = shared[6:]
    tensors["parameter"] = torch.nn.Parameter(torch.tensor([0.5, -0.5]))
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool):
        tensors[str(dtype)] = torch.tensor([0, 1, 1]).to(dtype)
    return tensors


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state(), folder / "archive.pth")
    torch.save(state(), folder / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(state(), folder / "legacy4.pth", _use_new_zipfile_serialization=False, pickle_protocol=4)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
