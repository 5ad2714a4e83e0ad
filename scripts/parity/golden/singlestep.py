"""Single-step methods without noise: Runge-Kutta, DPM-Solver, DPM-Solver++ and RES."""

from mpmath import expm1, mpf, sqrt

from .normal import add, at_level, between, eps, flow, x0
from .phi import phi

# -- Runge-Kutta in the coordinates of arXiv 2204.13902 --------------------------------------------


def tableau(*lines):
    """Butcher's: a line for each stage after the first, the last for the result."""
    *stages, end = [[mpf(w) for w in line.split()] for line in lines]
    return stages, end


EULER = tableau("1")
MIDPOINT = tableau("1/2", "0 1")
HEUN_2 = tableau("1", "1/2 1/2")
KUTTA_3 = tableau("1/2", "-1 2", "1/6 2/3 1/6")
HEUN_3 = tableau("1/3", "0 2/3", "1/4 0 3/4")
RALSTON_3 = tableau("1/2", "0 3/4", "2/9 1/3 4/9")
SSP_3 = tableau("1", "1/4 1/4", "1/6 1/6 2/3")
HOUWEN_3 = tableau("8/15", "1/4 5/12", "1/4 0 3/4")
CLASSICAL_4 = tableau("1/2", "0 1/2", "0 0 1", "1/6 1/3 1/3 1/6")


def explicit(slope, s, to, y, method):
    stages, end = method
    if to == 0 and any(sum(row) == 1 for row in stages):
        return explicit(
            slope, s, to, y, EULER
        )  # as EDM does; there is no noise to predict at the end
    h, slopes = to - s, [slope(s, y)]
    for row in stages:
        inner = add((1, y), *[(h * w, k) for w, k in zip(row, slopes)])
        slopes.append(slope(s + h * sum(row), inner))
    return add((1, y), *[(h * w, k) for w, k in zip(end, slopes)])


def eps_at_level(path):
    """dy/drho of y = x / alpha, equation 17."""

    def slope(rho, y):
        node = at_level(path, rho)
        return eps(node, [node.alpha * v for v in y])

    return slope


def velocity(t, x):
    """dx/dt on the flow path, finite at t = 1 where alpha is 0."""
    return add((1, eps(flow(t), x)), (-1, x0(flow(t), x)))


def runge_kutta(grid, method):
    path, nodes, start = grid
    if path is flow:
        slope, places, scale = velocity, [n.t for n in nodes], [1, 1]
    else:
        slope, places = eps_at_level(path), [n.rho() for n in nodes]
        scale = [nodes[0].alpha, nodes[-1].alpha]
    y = [start / scale[0]]
    for s, to in zip(places, places[1:]):
        y = explicit(slope, s, to, y, method)
    return scale[1] * y[0]


def dpm_2(grid):
    """DPM2 of EDM's notation: the midpoint rule with the geometric mean of the levels for its middle."""
    path, nodes, start = grid
    slope, y = eps_at_level(path), [start / nodes[0].alpha]
    for a, b in zip(nodes, nodes[1:]):
        s, to = a.rho(), b.rho()
        d = slope(s, y)
        if to > 0:
            mid = sqrt(s * to)
            d = slope(mid, add((1, y), (mid - s, d)))
        y = add((1, y), (to - s, d))
    return nodes[-1].alpha * y[0]


# -- Steps in lambda; each takes the state x at node a to node b -----------------------------------


def ddim(path, a, b, x):
    """Arxiv 2010.02502, equation 12 without noise; DPM-Solver-1 and DPM-Solver++(1) are this step."""
    return add((b.alpha, x0(a, x)), (b.sigma, eps(a, x)))


def dpm_2s(path, a, b, x, r=mpf(1) / 2):
    """Arxiv 2206.00927, algorithm 1, in the appendix's general form with the middle at r."""
    h, s = b.lam() - a.lam(), between(path, a, b, r)
    e = eps(a, x)
    u = add((s.alpha / a.alpha, x), (-s.sigma * expm1(r * h), e))
    d = add((1, eps(s, u)), (-1, e))
    whole = b.sigma * expm1(h)
    return add((b.alpha / a.alpha, x), (-whole, e), (-whole / (2 * r), d))


def dpm_3s(path, a, b, x):
    """Arxiv 2206.00927, algorithm 2."""
    h, r1, r2 = b.lam() - a.lam(), mpf(1) / 3, mpf(2) / 3
    s1, s2 = between(path, a, b, r1), between(path, a, b, r2)
    e = eps(a, x)
    u1 = add((s1.alpha / a.alpha, x), (-s1.sigma * expm1(r1 * h), e))
    d1 = add((1, eps(s1, u1)), (-1, e))
    line = s2.sigma * r2 / r1 * (expm1(r2 * h) / (r2 * h) - 1)
    u2 = add((s2.alpha / a.alpha, x), (-s2.sigma * expm1(r2 * h), e), (-line, d1))
    d2 = add((1, eps(s2, u2)), (-1, e))
    line = b.sigma / r2 * (expm1(h) / h - 1)
    return add((b.alpha / a.alpha, x), (-b.sigma * expm1(h), e), (-line, d2))


def dpmpp_2s(path, a, b, x, r=mpf(1) / 2):
    """Arxiv 2211.01095, algorithm 1."""
    h, s = b.lam() - a.lam(), between(path, a, b, r)
    m = x0(a, x)
    u = add((s.sigma / a.sigma, x), (-s.alpha * expm1(-r * h), m))
    d = add((1 - 1 / (2 * r), m), (1 / (2 * r), x0(s, u)))
    return add((b.sigma / a.sigma, x), (-b.alpha * expm1(-h), d))


def dpmpp_3s(path, a, b, x):
    """The stages of algorithm 2 of arXiv 2206.00927 in the integral of arXiv 2211.01095: x0 for eps, -h for h."""
    h, r1, r2 = b.lam() - a.lam(), mpf(1) / 3, mpf(2) / 3
    s1, s2 = between(path, a, b, r1), between(path, a, b, r2)
    m = x0(a, x)
    u1 = add((s1.sigma / a.sigma, x), (-s1.alpha * expm1(-r1 * h), m))
    d1 = add((1, x0(s1, u1)), (-1, m))
    line = s2.alpha * r2 / r1 * (expm1(-r2 * h) / (r2 * h) + 1)
    u2 = add((s2.sigma / a.sigma, x), (-s2.alpha * expm1(-r2 * h), m), (line, d1))
    d2 = add((1, x0(s2, u2)), (-1, m))
    line = b.alpha / r2 * (expm1(-h) / h + 1)
    return add((b.sigma / a.sigma, x), (-b.alpha * expm1(-h), m), (line, d2))


def res_2s(path, a, b, x):
    """Arxiv 2308.02157, the two-stage scheme with c2 = 1/2 and phi functions of the step."""
    h, c2 = b.lam() - a.lam(), mpf(1) / 2
    s = between(path, a, b, c2)
    m = x0(a, x)
    u = add((s.sigma / a.sigma, x), (s.alpha * c2 * h * phi(1, -c2 * h), m))
    second = phi(2, -h) / c2
    slopes = [(phi(1, -h) - second, m), (second, x0(s, u))]
    return add((b.sigma / a.sigma, x), *[(b.alpha * h * w, v) for w, v in slopes])


def single_step(grid, step):
    """One step after the other; into clean data, where lambda is infinite, DDIM."""
    path, nodes, start = grid
    x = [start]
    for a, b in zip(nodes, nodes[1:]):
        x = (ddim if b.sigma == 0 else step)(path, a, b, x)
    return x[0]
