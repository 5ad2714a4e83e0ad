"""Multistep DPM-Solver and DPM-Solver++, arXiv 2206.00927 and 2211.01095, and RES-2M, arXiv 2308.02157.

Both solve x' = keep x + scale times an integral of e^((1 - s) z) times the prediction at the share s of the step in
lambda, of which phi_k(z) (k - 1)! is the moment k - 1.
"""

from mpmath import mpf

from .multistep import adams
from .normal import add, eps, x0
from .phi import phi
from .singlestep import ddim


def on_x0(a, b):
    """Prediction, keep, scale and z of arXiv 2211.01095, proposition 4.1."""
    h = b.lam() - a.lam()
    return x0, b.sigma / a.sigma, b.alpha * h, -h


def on_eps(a, b):
    """The same of arXiv 2206.00927, equation 3.4."""
    h = b.lam() - a.lam()
    return eps, b.alpha / a.alpha, -b.sigma * h, h


# Terms of the integral from (node, prediction) of the newest back, where there are as many as the order.


def difference(a, b, new, old):
    """Slope between two predictions for a step of 1."""
    r = (new[0].lam() - old[0].lam()) / (b.lam() - a.lam())
    return add((1 / r, new[1]), (-1 / r, old[1]))


def midpoint(z, b, known):
    """Algorithm 2 of arXiv 2211.01095: D = (1 + 1 / 2r) m_0 - 1 / 2r m_1."""
    a, m = known[0]
    return [(phi(1, z), m), (phi(1, z) / 2, difference(a, b, *known))]


def line(z, b, known):
    """The slope with its integral: "taylor" of the authors' code, and RES-2M, b_2 = phi_2 / c_2, b_1 = phi_1 - b_2."""
    a, m = known[0]
    return [(phi(1, z), m), (phi(2, z), difference(a, b, *known))]


def parabola(z, b, known):
    """(3M) of the authors' code. D2 is half a second derivative, yet its factor is phi_3 and not 2 phi_3."""
    (a, m), (before, _), (first, _) = known
    new, old = difference(a, b, *known[:2]), difference(a, b, *known[1:])
    both, last = a.lam() - first.lam(), a.lam() - before.lam()
    share = (b.lam() - a.lam()) / both
    d1 = add((1 + last / both, new), (-last / both, old))
    d2 = add((share, new), (-share, old))
    return [(phi(1, z), m), (phi(2, z), d1), (phi(3, z), d2)]


def through_three(z, b, known):
    """The exact integral of x0's parabola, here over scale."""
    a = known[0][0]
    weights = adams(a, b, mpf(0), [n for n, _ in known])
    return [(w / (b.alpha * -z), m) for w, (_, m) in zip(weights, known)]


def dpm_multistep(grid, form, terms, order):
    """A step of order 1, for order 3 one of (2M), then `terms`; into clean data the first order, DDIM."""
    path, nodes, start = grid
    x, known = [start], []
    for a, b in zip(nodes, nodes[1:]):
        if b.sigma == 0:
            x = ddim(path, a, b, x)
            continue
        predict, keep, scale, z = form(a, b)
        known = [(a, predict(a, x)), *known][:order]
        if len(known) == 1:
            found = [(phi(1, z), known[0][1])]
        else:
            found = (terms if len(known) == order else midpoint)(z, b, known)
        x = add((keep, x), *[(scale * w, v) for w, v in found])
    return x[0]
