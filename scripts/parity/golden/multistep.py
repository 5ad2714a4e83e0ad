"""Multistep methods: pndm and ipndm, flow-ab2, sde-dpmpp and sa-solver."""

from mpmath import exp, mpf, quad, sqrt

from .normal import add, deviation, eps, unit, x0
from .singlestep import velocity

# -- PNDM, arXiv 2202.09778 ------------------------------------------------------------------------


def transfer(x, e, a, b):
    """Equation 11 with its cumulative products; where alpha is always 1 the same, linear in sigma."""
    if a.alpha == 1:
        return add((1, x), (b.sigma - a.sigma, e))
    now, then = a.alpha**2, b.alpha**2
    below = sqrt(now) * (sqrt((1 - then) * now) + sqrt((1 - now) * then))
    return add((sqrt(then) / sqrt(now), x), (-(then - now) / below, e))


# Weights of equal steps from the newest back, and what they are divided by.
ADAMS_BASHFORTH = [(1, 1), (3, -1, 2), (23, -16, 5, 12), (55, -59, 37, -9, 24)]


def pndm(grid, warm_up):
    """Three steps of Runge and Kutta before the weights ("rk4"), one improved Euler's ("plms") or neither ("ipndm")."""
    path, nodes, start = grid
    x, history = [start], []
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        e1 = eps(a, x)
        history = [e1, *history][:4]
        if warm_up == "rk4" and i < 3:
            # Pseudo Runge-Kutta, the middle in t.
            mid = path((a.t + b.t) / 2)
            e2 = eps(mid, transfer(x, e1, a, mid))
            e3 = eps(mid, transfer(x, e2, a, mid))
            e4 = eps(b, transfer(x, e3, a, b))
            e = add((mpf(1) / 6, e1), (mpf(1) / 3, e2), (mpf(1) / 3, e3), (mpf(1) / 6, e4))
        elif warm_up == "plms" and i == 0:
            # Pseudo improved Euler, the start of Stable Diffusion's PLMS.
            e2 = eps(b, transfer(x, e1, a, b))
            e = add((mpf(1) / 2, e1), (mpf(1) / 2, e2))
        else:
            # Pseudo linear multistep, and the lower orders of Adams and Bashforth before it.
            *weights, unit_of = ADAMS_BASHFORTH[len(history) - 1]
            e = add(*[(mpf(w) / unit_of, v) for w, v in zip(weights, history)])
        x = transfer(x, e, a, b)
    return x[0]


# -- Adams and Bashforth on dx/dt of the flow path -------------------------------------------------


def flow_ab2(grid):
    """The line through two velocities, over the step; the first is Euler's."""
    _, nodes, start = grid
    x, last = [start], None
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        h, v = b.t - a.t, velocity(a.t, x)
        terms = [(h, v)]
        if last:
            half = h * h / 2 / (a.t - nodes[i - 1].t)
            terms += [(half, v), (-half, last)]
        x, last = add((1, x), *terms), v
    return x[0]


# -- SDE-DPM-Solver++, arXiv 2211.01095, and SA-Solver, arXiv 2309.05019 ---------------------------


def noisy_step(x, a, b, tau, terms, axis):
    """x' = sigma'/sigma e^(-tau^2 h) x + sum + sigma' sqrt(1 - e^(-2 tau^2 h)) z, z that axis."""
    if b.sigma == 0:
        return add(*terms)
    damping = tau**2 * (b.lam() - a.lam())
    size = b.sigma * sqrt(1 - exp(-2 * damping))
    return add((b.sigma / a.sigma * exp(-damping), x), (size, unit(axis)), *terms)


def total(a, b, tau):
    if b.sigma == 0:
        return b.alpha
    return b.alpha * (1 - exp(-(1 + tau**2) * (b.lam() - a.lam())))


def adams(a, b, tau, nodes):
    """sigma' times the integral of e^(-tau^2 (lambda' - l)) (1 + tau^2) e^l l_j, Lagrange's polynomials."""
    if len(nodes) == 1:
        return [total(a, b, tau)]
    at, end = [n.lam() for n in nodes], b.lam()

    def weight(j):
        def f(l):
            value = exp(-(tau**2) * (end - l)) * (1 + tau**2) * exp(l)
            for k, other in enumerate(at):
                if k != j:
                    value *= (l - other) / (at[j] - other)
            return value

        return b.sigma * quad(f, [a.lam(), (a.lam() + end) / 2, end])

    return [weight(j) for j in range(len(at))]


def sde_1(grid, tau):
    """SDE-DPM-Solver++1: x0 is constant in a step."""
    _, nodes, start = grid
    x = [start]
    for axis, (a, b) in enumerate(zip(nodes, nodes[1:]), 1):
        x = noisy_step(x, a, b, tau, [(total(a, b, tau), x0(a, x))], axis)
    return deviation(x)


def sde_2m(grid, tau):
    """SDE-DPM-Solver++(2M), the last of fewer than ten steps of order 1; other tau as in SA-Solver."""
    _, nodes, start = grid
    x, last = [start], None
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        m = x0(a, x)
        whole = total(a, b, tau)
        terms = [(whole, m)]
        if last and i + 2 < len(nodes):
            r = (a.lam() - last[0].lam()) / (b.lam() - a.lam())
            terms.append((whole / 2, add((1 / r, m), (-1 / r, last[1]))))
        last = (a, m)
        x = noisy_step(x, a, b, tau, terms, i + 1)
    return deviation(x)


def sde_3m_exact(grid, tau):
    """Three outputs and the exact integral, after a step of order 1 and one of 2M, to the end."""
    _, nodes, start = grid
    x, history = [start], []
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        m = x0(a, x)
        history = [(a, m), *history][:3]
        whole = total(a, b, tau)
        if len(history) == 2:
            r = (a.lam() - history[1][0].lam()) / (b.lam() - a.lam())
            terms = [(whole, m), (whole / 2, add((1 / r, m), (-1 / r, history[1][1])))]
        else:
            weights = adams(a, b, tau, [n for n, _ in history])
            terms = [(w, v) for w, (_, v) in zip(weights, history)]
        x = noisy_step(x, a, b, tau, terms, i + 1)
    return deviation(x)


def sa(grid, tau, predictor, corrector, lower, length):
    """Algorithm 1 in PEC mode; no noise in the last step. `length`: the authors' code for two outputs, whose
    slope weighs half of the step's length, (1 + tau^2) h^2 / 2 alpha', instead of its integral."""
    _, nodes, start = grid

    def weights(a, b, tau, used):
        if not length or len(used) != 2:
            return adams(a, b, tau, used)
        h = b.lam() - a.lam()
        slope = b.alpha * (1 + tau**2) * h * h / 2
        i = 0 if used[0] is a else 1  # the start of the step; the other stands before or behind it
        apart = slope / (used[1 - i].lam() - a.lam())
        pair = [apart, apart]
        pair[i] = total(a, b, tau) - apart
        return pair

    steps = len(nodes) - 1
    x, history, known = [start], [], None
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        left = steps - i
        most = left if lower else 4
        strength = tau if left > 1 else mpf(0)
        history = [(a, known or x0(a, x)), *history][:4]

        def step(outputs, count):
            # Into clean data only the first order has a limit.
            used = outputs[: 1 if b.sigma == 0 else count]
            w = weights(a, b, strength, [n for n, _ in used])
            return noisy_step(x, a, b, strength, [(c, v) for c, (_, v) in zip(w, used)], i + 1)

        y, known = step(history, min(predictor, most)), None
        if corrector and left > 1:
            known = x0(b, y)
            y = step([(b, known), *history], min(corrector, most + 1))
        x = y
    return deviation(x)
