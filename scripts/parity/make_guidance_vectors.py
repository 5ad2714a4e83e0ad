#!/usr/bin/env python3
"""Writes tests/fixtures/guidance.json: guidance rules evaluated from their formulas in f64 with numpy.

    python scripts/parity/make_guidance_vectors.py tests/fixtures/guidance.json

Two images of 1x2x2 elements, three evaluations. Arrays are flat, image after image.
"""

import json
import sys

import numpy as np

C = np.array(
    [
        [[0.5, -0.25, 0.75, 1.0], [-0.4, 0.1, 0.3, -0.2]],
        [[0.6, -0.3, 0.7, 0.9], [-0.5, 0.2, 0.25, -0.1]],
        [[0.55, -0.45, 0.8, 0.95], [-0.45, 0.15, 0.35, -0.3]],
    ]
)
U = np.array(
    [
        [[0.2, -0.05, 0.25, 0.6], [-0.3, 0.05, 0.1, -0.25]],
        [[0.4, -0.1, 0.45, 0.55], [-0.35, 0.0, 0.15, -0.05]],
        [[0.5, -0.2, 0.6, 0.65], [-0.25, 0.1, 0.2, -0.05]],
    ]
)
X = np.array([[1.7, -2.1, 0.4, 2.6], [0.9, -1.1, 2.2, -0.3]])


def inner(a, b):
    return np.sum(a * b, axis=1, keepdims=True)


def flat(a):
    return a.ravel().tolist()


def apg(w, eta, r, beta, form="paper", c=C, u=U):
    """arXiv 2410.02416, algorithm 1, evaluation by evaluation, with all that it computes on the way; r = 0: no cap.

    The forms are those of the paper, c + (w - 1) d', and of diffusers, u + w d' ("native") and c + w d' ("original").
    """
    m, evaluations = np.zeros_like(c[0]), []
    for c_k, u_k in zip(c, u):
        m = c_k - u_k + beta * m
        norm = np.sqrt(inner(m, m))
        s = np.minimum(1.0, r / norm) if r > 0.0 else np.ones_like(norm)
        unit = c_k / np.sqrt(inner(c_k, c_k))
        par = inner(s * m, unit) * unit
        orth = s * m - par
        upd = orth + eta * par
        out = {"paper": c_k + (w - 1.0) * upd, "native": u_k + w * upd, "original": c_k + w * upd}[form]
        step = dict(m=m, norm=norm, s=s, par=par, orth=orth, upd=upd, out=out)
        evaluations.append({name: flat(value) for name, value in step.items()})
    return evaluations


def zero_star(w, c, u):
    s = inner(c, u) / (inner(u, u) + 1e-8)
    return s * u + w * (c - s * u)


def spaces():
    """Image 0, evaluation 0, w = 4: rules in the output space of several networks, as x0."""
    c, u, x = C[0][:1], U[0][:1], X[:1]

    def on(there, back):
        def projected(**of):
            out = apg(4.0, beta=0.0, c=[there(c)], u=[there(u)], **of)[0]["out"]
            return flat(back(np.array([out])))

        return {
            "apg:space=raw": projected(eta=0.0, r=0.0),
            "apg:native=true:space=raw:eta=1:r=15": projected(eta=1.0, r=15.0, form="native"),
            "apg:native=true:space=raw:eta=0.5:r=0.2": projected(eta=0.5, r=0.2, form="native"),
            "cfg-zero:zero_steps=0": flat(back(zero_star(4.0, there(c), there(u)))),
        }

    def edm(alpha, sigma, data=0.5):
        """arXiv 2206.00364, table 1, for a state of another path, which the network sees divided by alpha."""
        z, s = x / alpha, sigma / alpha
        skip, out = data**2 / (s**2 + data**2), s * data / np.sqrt(s**2 + data**2)
        return on(lambda a: (a - skip * z) / out, lambda f: skip * z + out * f)

    alpha, sigma, t = 0.6, 0.8, 0.8
    return {
        "x0": on(lambda a: a, lambda a: a),
        "eps": on(lambda a: (x - alpha * a) / sigma, lambda e: (x - sigma * e) / alpha),
        "v": on(lambda a: (alpha * x - a) / sigma, lambda v: alpha * x - sigma * v),
        "flow": on(lambda a: (x - a) / t, lambda v: x - t * v),
        "ve-eps": on(lambda a: (x - a) / sigma, lambda e: x - sigma * e),
        "edm": edm(1.0, sigma),
        "edm-on-vp": edm(alpha, sigma),
    }


def others(w=4.0):
    c, u = C[0], U[0]
    g = u + w * (c - u)
    spread = lambda a: a.std(axis=1, keepdims=True)
    bound = np.maximum(np.quantile(np.abs(g), 0.995, axis=1, keepdims=True), 1.0)
    rules = {
        "cfg": g,
        "rescale": 0.7 * g * spread(c) / spread(g) + 0.3 * g,
        "cfg-zero": zero_star(w, c, u),
        "threshold": np.clip(g, -bound, bound) / bound,
    }
    return {name: value.ravel().tolist() for name, value in rules.items()}


def cfgpp(level=2.0, to=1.25, weight=0.6):
    """One Euler step on the EDM path, noised again with u."""
    c, u = C[0], U[0]
    return (u + weight * (c - u) + (X - u) * to / level).ravel().tolist()


CASES = [
    dict(w=4.0, eta=0.0, r=0.6, beta=-0.5),
    dict(w=4.0, eta=0.5, r=0.6, beta=-0.5),
    dict(w=4.0, eta=1.0, r=0.6, beta=-0.5),
    dict(w=7.5, eta=0.25, r=0.2, beta=-0.75),
    dict(w=4.0, eta=1.0, r=0.0, beta=0.0),
    dict(w=4.0, eta=0.0, r=0.0, beta=-0.5),
    dict(w=4.0, eta=0.0, r=0.6, beta=-0.5, form="native"),
    dict(w=4.0, eta=0.0, r=0.6, beta=-0.5, form="original"),
]

fixture = {
    "c": C.reshape(3, -1).tolist(),
    "u": U.reshape(3, -1).tolist(),
    "x": X.ravel().tolist(),
    "apg": [dict(form="paper") | case | dict(evaluations=apg(**case)) for case in CASES],
    "spaces": spaces(),
    "others": others(),
    "cfgpp": cfgpp(),
}
with open(sys.argv[1], "w") as file:
    json.dump(fixture, file, indent=1)
    file.write("\n")
