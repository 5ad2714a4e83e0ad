#!/usr/bin/env python3
"""What other people's evaluators say about random feature matrices -> eval/tests/fixtures/metrics.json.

    pip install torch-fidelity==0.4.0 clean-fid==0.1.35 prdc==0.2 torchmetrics==1.9.0 scikit-image==0.26.0
    python scripts/parity/make_metric_fixtures.py

No matrix is stored: entries are sums of four uniform numbers of a congruential generator, rounded to f32, which is exact
on both sides. Features go into the reference implementations as f64 where they take it, so that 1e-6 is about formulas
and not about their rounding.
"""

import json
import pathlib

import numpy as np
import torch
from cleanfid.fid import frechet_distance, kernel_distance
from prdc import compute_prdc
from skimage.metrics import structural_similarity
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
from torchmetrics.image import PeakSignalNoiseRatio

HERE = pathlib.Path(__file__).resolve().parents[2]


class Lcg:
    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return ((self.state >> 11) + 0.5) / (1 << 53)


def matrix(seed, n, d, scale, shift):
    """scale * (u1 + u2 + u3 + u4 - 2) / (1 + column) + shift, in f64, then f32."""
    rng = Lcg(seed)
    rows = np.empty((n, d), np.float32)
    for i in range(n):
        for j in range(d):
            bell = rng.uniform() + rng.uniform() + rng.uniform() + rng.uniform() - 2.0
            rows[i, j] = np.float32(scale * bell / (1.0 + j) + shift)
    return rows


def picture(seed, shape):
    """Grey levels of a ramp with noise; shape [c, h, w]."""
    rng = Lcg(seed)
    c, h, w = shape
    out = np.empty(shape, np.uint8)
    for at in range(c * h * w):
        y, x = at // w % h, at % w
        out.flat[at] = int((4 * x + 3 * y + int(60 * rng.uniform())) % 256)
    return out


def main():
    real, fake = matrix(1, 300, 12, 1.0, 0.0), matrix(2, 260, 12, 0.9, 0.05)
    logits = matrix(3, 203, 10, 8.0, 0.0)
    double = lambda x: torch.from_numpy(x).double()
    out = {}

    settings = dict(kid_subset_size=50, kid_kernel="poly", kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None,
                    kid_kernel_poly_coef0=1, rng_seed=2020, verbose=False)
    got = kid_features_to_metric(double(fake), double(real), kid_subsets=20, **settings)
    out["torch_fidelity_kid"] = list(got.values())
    np.random.seed(7)
    out["clean_fid_kid_seed_7"] = kernel_distance(real.astype(float), fake.astype(float), 20, 50)
    # One block of everything: both implementations then give the full estimate, whatever the order.
    same = dict(settings, kid_subset_size=260)
    got = kid_features_to_metric(double(fake), double(real[:260]), kid_subsets=1, **same)
    out["torch_fidelity_kid_full"] = list(got.values())[0]
    out["clean_fid_kid_full"] = kernel_distance(real[:260].astype(float), fake.astype(float), 1, 260)

    got = isc_features_to_metric(double(logits), splits=10, shuffle=True, rng_seed=2020)
    out["torch_fidelity_isc"] = list(got.values())
    got = isc_features_to_metric(double(logits), splits=3, shuffle=False)
    out["torch_fidelity_isc_in_order"] = list(got.values())

    statistics = [fid_features_to_statistics(torch.from_numpy(x)) for x in (fake, real)]
    out["torch_fidelity_fid"] = list(fid_statistics_to_metric(*statistics, verbose=False).values())[0]
    moments = [(x.astype(float).mean(0), np.cov(x.astype(float), rowvar=False)) for x in (fake, real)]
    out["clean_fid_fid"] = float(frechet_distance(*moments[0], *moments[1]))

    got = prc_features_to_metric(double(fake), double(real), prc_neighborhood=3, prc_batch_size=100,
                                 save_cpu_ram=False, verbose=False)
    out["torch_fidelity_prc"] = list(got.values())[:2]
    got = compute_prdc(real.astype(float), fake.astype(float), nearest_k=5)
    out["prdc"] = [float(got[key]) for key in ("precision", "recall", "density", "coverage")]

    shape = (3, 20, 27)
    a, b = picture(4, shape), picture(5, shape)
    ssim = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    out["skimage_ssim_grey"] = float(structural_similarity(a[0], b[0], **ssim))
    out["skimage_ssim_colour"] = float(structural_similarity(a, b, channel_axis=0, **ssim))
    psnr = PeakSignalNoiseRatio(data_range=255.0)
    out["torchmetrics_psnr"] = float(psnr(torch.from_numpy(a).double()[None], torch.from_numpy(b).double()[None]))

    path = HERE / "eval/tests/fixtures/metrics.json"
    path.write_text(json.dumps(out, indent=2) + "\n")
    print(path.read_text())


if __name__ == "__main__":
    main()
