#!/usr/bin/env python3
"""Compare `fewstep eval` with pytorch-fid, torch-fidelity and clean-fid on folders of real pictures, by the same weights.

    python scripts/parity/eval_folders.py FEWSTEP DATA OUT [-n 200]

FEWSTEP is the built program, DATA the folder of Fashion-MNIST (`make data`), OUT a folder for pictures, weights and the
table `parity.json`. Two sets of pictures (the first five classes of the test split, the last five of the training split) are
written as PNG: at 28x28 (grey), 64x64, 75x50 and mixed sizes. The formula weights of inception_weights.py are put where each tool looks for its download, so
that nothing is fetched. Exits with 1 when a value differs by more than 1e-6 of itself.

Each Fréchet distance is compared twice: with what the tool prints, whose matrix root has an error of its own when there
are fewer pictures than features, and with the exact value of the tool's own features, by eigenvalues of the Gram
matrix. torch-fidelity's kernel distance likewise: it computes in 32 bits, where the kernels of this network's large
features cancel, and is compared with its own formula on its own features in 64 bits; where its spread over the subsets is
larger than the distance, against the spread. The spread of ten Inception Scores close to 1 is held against the score. The mixed folders go to the other tools one picture at a time, as they cannot stack pictures of several sizes.

Needs torch, torchvision, pytorch-fid 0.3.0, torch-fidelity 0.4.0, clean-fid 0.1.35, pillow, scipy.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy
import torch
from PIL import Image

SIZES = {"28": [(28, 28)], "64": [(64, 64)], "75x50": [(75, 50)], "mixed": [(28, 28), (64, 64), (75, 50), (40, 90)]}
LIMIT = 1e-6


def pictures(data, split, classes, n):
    with gzip.open(data / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = numpy.frombuffer(file.read(), numpy.uint8, offset=8)
    with gzip.open(data / f"{split}-images-idx3-ubyte.gz") as file:
        images = numpy.frombuffer(file.read(), numpy.uint8, offset=16).reshape(-1, 28, 28)
    return images[numpy.isin(labels, classes)][:n]


def write(folder, images, sizes):
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        size = sizes[i % len(sizes)]
        picture = Image.fromarray(image)
        if size != (28, 28):
            # A tint tells the channels apart.
            picture = Image.merge("RGB", [picture, picture.point(lambda v: v * 7 // 8), picture.point(lambda v: 255 - v)])
            picture = picture.resize(size, Image.BICUBIC)
        picture.save(folder / f"{i:05}.png")


def moments(x):
    x = x.astype(numpy.float64)
    return x.mean(0), numpy.cov(x, rowvar=False)


def exact(x, y):
    """Fréchet distance by the singular values of the product of the centred features: no root of a singular matrix."""
    x, y = x.astype(numpy.float64), y.astype(numpy.float64)
    (n, m), (mu, nu) = (len(x), len(y)), (x.mean(0), y.mean(0))
    a, b = (x - mu) / numpy.sqrt(n - 1), (y - nu) / numpy.sqrt(m - 1)
    overlap = numpy.linalg.svd(a @ b.T, compute_uv=False).sum()
    return ((mu - nu) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * overlap


def pytorch_fid(a, b, batch):
    from pytorch_fid import fid_score
    from pytorch_fid.inception import InceptionV3

    model = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]])
    x, y = (fid_score.get_activations(sorted(f.glob("*.png")), model, batch, 2048, "cpu", 0) for f in (a, b))
    return {
        "fid": fid_score.calculate_frechet_distance(*moments(x), *moments(y)),
        "fid exact": exact(x, y),
    }


def torch_fidelity(a, b, batch, weights, n):
    import torch_fidelity as tf
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    out = tf.calculate_metrics(
        input1=str(a), input2=str(b), cuda=False, batch_size=batch, isc=True, fid=True, kid=True, prc=True,
        kid_subset_size=n // 2, feature_extractor_weights_path=str(weights), cache=False, verbose=False,
        prc_neighborhood=3, save_cpu_ram=True, feature_extractor="inception-v3-compat",
    )
    net = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(weights)).eval()

    def features(folder):
        rows = []
        with torch.no_grad():
            for file in sorted(folder.glob("*.png")):
                image = numpy.asarray(Image.open(file).convert("RGB"))
                rows.append(net(torch.from_numpy(image.copy()).permute(2, 0, 1)[None])[0].numpy())
        return numpy.concatenate(rows)

    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = features(a), features(b)
    kid = kid_features_to_metric(torch.from_numpy(x).double(), torch.from_numpy(y).double(), kid_subset_size=n // 2)
    return {
        "fid": out["frechet_inception_distance"],
        "fid exact": exact(x, y),
        "kid": out["kernel_inception_distance_mean"],
        "kid exact": kid["kernel_inception_distance_mean"],
        "kid sd": out["kernel_inception_distance_std"],
        "kid sd exact": kid["kernel_inception_distance_std"],
        "is": out["inception_score_mean"],
        "is sd": out["inception_score_std"],
        "precision": out["precision"],
        "recall": out["recall"],
    }


def clean_fid(a, b, batch):
    from cleanfid import fid
    from pytorch_fid.inception import InceptionV3

    # clean-fid's own network is a TorchScript file that cannot hold these weights; its reading and resizing are kept.
    blocks = InceptionV3([3], resize_input=False, normalize_input=False).eval()

    def extractor(x):
        with torch.no_grad():
            return blocks((x - 128) / 128)[0].flatten(1)

    read = lambda f: fid.get_folder_features(str(f), extractor, num_workers=0, batch_size=batch, device=torch.device("cpu"),
                                             mode="clean", verbose=False)
    x, y = read(a), read(b)
    mu_sigma = [*moments(x), *moments(y)]
    return {"fid": fid.frechet_distance(*mu_sigma), "fid exact": exact(x, y)}


def ours(fewstep, a, b, weights, protocol, metrics, n):
    command = [fewstep, "eval", "images", a, b, "--metrics", metrics, "--weights", weights, "--any-weights", "--json",
               "--protocol", protocol, "--kid-subset-size", str(n // 2)]
    out = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, check=True, text=True)
    found = {}
    for line in out.stdout.splitlines():
        row = json.loads(line)
        found[row["metric"]] = row["value"]
        if "sd" in row:
            found[row["metric"] + " sd"] = row["sd"]
    for name in ("fid", "kid", "kid sd"):
        if name in found:
            found[f"{name} exact"] = found[name]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("fewstep")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("-n", type=int, default=200)
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--tools", default="pytorch-fid,torch-fidelity,clean-fid")
    args = parser.parse_args()
    hub = args.out / "torch" / "hub" / "checkpoints"
    weights = hub / "pt_inception-2015-12-05-6726825d.pth"
    if not weights.exists():
        hub.mkdir(parents=True, exist_ok=True)
        here = Path(__file__).parent
        subprocess.run([sys.executable, here / "inception_weights.py", weights], check=True)
    # Where torch.hub looks before it downloads.
    os.environ["TORCH_HOME"] = str(args.out / "torch")
    table, worst = [], 0.0
    for name in args.sizes.split(","):
        a, b = args.out / f"a-{name}", args.out / f"b-{name}"
        write(a, pictures(args.data, "t10k", range(5), args.n), SIZES[name])
        write(b, pictures(args.data, "train", range(5, 10), args.n), SIZES[name])
        batch = 1 if name == "mixed" else 16
        runs = [
            ("pytorch-fid", "torch", "fid", lambda: pytorch_fid(a, b, batch)),
            ("torch-fidelity", "tf1", "fid,kid,is,pr", lambda: torch_fidelity(a, b, batch, weights, args.n)),
            ("clean-fid", "clean", "fid", lambda: clean_fid(a, b, batch)),
        ]
        for tool, protocol, metrics, run in runs:
            if tool not in args.tools.split(","):
                continue
            theirs, own = run(), ours(args.fewstep, a, b, weights, protocol, metrics, args.n)
            for metric, value in theirs.items():
                size = max(abs(value), abs(theirs.get({"kid exact": "kid sd exact", "is sd": "is"}.get(metric), 0)))
                relative = abs(own[metric] - value) / max(size, 1e-12)
                table.append({"pictures": name, "tool": tool, "metric": metric, "theirs": float(value),
                              "ours": own[metric], "relative": float(relative)})
                print(f"{name:6} {tool:15} {metric:10} {value:20.12g} {own[metric]:20.12g} {relative:9.2e}", flush=True)
                # The tool's own matrix root and 32-bit kernels are shown, not judged: see above.
                if metric not in ("fid", "kid", "kid sd"):
                    worst = max(worst, relative)
    (args.out / "parity.json").write_text(json.dumps(table, indent=1))
    print(f"largest relative difference {worst:.2e}, limit {LIMIT:g}")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
