"""UniPC with data prediction, arXiv 2302.04867, algorithms 1 and 2."""

from mpmath import expm1, factorial, lu_solve, matrix, mpf

from .normal import add, x0
from .phi import phi


def bh1(z):
    return z


def bh2(z):
    return expm1(z)


def shares(places, z, size):
    """a of R a = b: the differences at these shares of the step, whose moments are those of the integral."""
    if len(places) == 1:
        return [mpf(1) / 2]  # the authors' choice, for both B
    orders = range(1, len(places) + 1)
    r = matrix([[p ** (k - 1) for p in places] for k in orders])
    return list(lu_solve(r, matrix([z * phi(k + 1, z) * factorial(k) / size for k in orders])))


def update(a, b, x, m, others, kind):
    """The state at b from the one at a with prediction m and the (node, prediction) of `others`."""
    h = b.lam() - a.lam()
    size = kind(-h)
    places = [(n.lam() - a.lam()) / h for n, _ in others]
    terms = [
        (-b.alpha * size * w / p, add((1, v), (-1, m)))
        for w, p, (_, v) in zip(shares(places, -h, size), places, others)
    ]
    return add((b.sigma / a.sigma, x), (-b.alpha * expm1(-h), m), *terms)


def unipc(grid, order, kind=bh2, corrector=True, lower=False):
    """The corrector uses the evaluation of the next step, so that the last one has none."""
    _, nodes, start = grid
    steps = len(nodes) - 1
    x, known = [start], [(nodes[0], x0(nodes[0], [start]))]
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        p = min(order, i + 1, steps - i if lower else order)
        m, before = known[0][1], known[1:p]
        y = update(a, b, x, m, before, kind)
        if i + 1 < steps:
            known = [(b, x0(b, y)), *known]
            if corrector:
                y = update(a, b, x, m, [*before, known[0]], kind)
        x = y
    return x[0]
