"""Paths, grids, and the exact predictions for normal data of deviation 1/2, all with 50 digits.

Every prediction is a multiple of the state. A state is the list of its coefficients on the initial noise and on each
later one.
"""

from mpmath import exp, log, mp, mpf, sqrt

mp.dps = 50
DATA = mpf(1) / 4  # variance


class Node:
    """A time with the scale of the data and the deviation of the noise."""

    def __init__(self, alpha, sigma, t):
        self.alpha, self.sigma, self.t = alpha, sigma, t

    def lam(self):
        return log(self.alpha / self.sigma)

    def rho(self):
        return self.sigma / self.alpha


def beta(t):
    """Of the variance-preserving path, from 0.1 to 20."""
    return mpf("0.1") + t * mpf("19.9")


def vp(t):
    product = exp(-t * mpf("0.1") - t * t * mpf("19.9") / 2)  # the integral of beta
    return Node(sqrt(product), sqrt(1 - product), t)


def edm(t):
    return Node(mpf(1), t, t)


def flow(t):
    return Node(1 - t, t, t)


def at_level(path, rho):
    """The node of this noise-to-signal ratio; on a variance-preserving path that says all but the time."""
    if path is edm:
        return edm(rho)
    alpha = 1 / sqrt(1 + rho**2)
    return Node(alpha, rho * alpha, None)


def between(path, a, b, r):
    """The node at the share r of the way in lambda."""
    return at_level(path, exp(-(a.lam() + r * (b.lam() - a.lam()))))


# A grid is a path, its nodes and the state to start from.


def golden_grid():
    a, b = mpf(1), sqrt(mpf("1e-3"))
    return vp, [vp((a + (b - a) * i / 5) ** 2) for i in range(6)], mpf(1)


def karras_levels(high, low, count):
    """EDM's equation 5 between any two levels."""
    a, b = high ** (mpf(1) / 7), low ** (mpf(1) / 7)
    return [(a + (b - a) * i / (count - 1)) ** 7 for i in range(count)]


def karras_grid(steps):
    levels = karras_levels(mpf(80), mpf("0.002"), steps) + [mpf(0)]
    return edm, [edm(t) for t in levels], mpf(80)


def flow_grid(shift):
    times = [mpf(5 - i) / 5 for i in range(6)]
    return flow, [flow(shift * s / (1 + (shift - 1) * s)) for s in times], mpf(1)


def above_zero(grid):
    """The grid with its last node an ulp above t = 0, so that a method keeps its stage there."""
    path, nodes, start = grid
    return path, [*nodes[:-1], path(mpf("1e-16"))], start


def last_level(betas):
    """The noise-to-signal ratio after all of a chain's steps."""
    product = mpf(1)
    for b in betas:
        product *= 1 - b
    return sqrt(1 / product - 1)


def even(first, last, count):
    return [first + (last - first) * i / (count - 1) for i in range(count)]


def ddpm_betas():
    """Arxiv 2006.11239, section 4."""
    return even(mpf("1e-4"), mpf("0.02"), 1000)


def sd_betas():
    """Those of Stable Diffusion, linear in the root."""
    return [r**2 for r in even(sqrt(mpf("0.00085")), sqrt(mpf("0.012")), 1000)]


def add(*terms):
    """Sum of (coefficient, vector); short vectors end in zeros."""
    size = max(len(v) for _, v in terms)
    return [sum(c * v[k] for c, v in terms if k < len(v)) for k in range(size)]


def unit(axis):
    return [mpf(0)] * axis + [mpf(1)]


def x0(node, x):
    variance = node.alpha**2 * DATA + node.sigma**2
    return [node.alpha * DATA / variance * v for v in x]


def eps(node, x):
    variance = node.alpha**2 * DATA + node.sigma**2
    return [node.sigma / variance * v for v in x]


def deviation(x):
    return sqrt(sum(v * v for v in x))


def exact(grid):
    """The exact flow, which keeps the distribution."""
    _, nodes, start = grid
    width = [sqrt(n.alpha**2 * DATA + n.sigma**2) for n in (nodes[0], nodes[-1])]
    return start * width[1] / width[0]
