"""Methods that add noise and are not multistep.

But for DDPM's and DDIM's they stand in EDM's notation: alpha = 1, sigma = t.
"""

from mpmath import mpf, sqrt

from .normal import add, at_level, deviation, edm, eps, karras_grid, karras_levels, unit, vp, x0
from .singlestep import dpmpp_2s


def levels(grid):
    _, nodes, start = grid
    return [n.t for n in nodes], [start]


# -- DDPM, arXiv 2006.11239 ------------------------------------------------------------------------


def ddpm(grid, share):
    """Equation 7 and algorithm 2 on the grid's nodes as rows; variance small^(1 - share) large^share."""
    _, nodes, start = grid
    x = [start]
    for a, b in zip(nodes, nodes[1:]):
        now, before = a.alpha**2, b.alpha**2
        beta = 1 - now / before
        small = (1 - before) / (1 - now) * beta
        size = sqrt(small ** (1 - share) * beta**share)
        mean = add(
            (sqrt(before) * beta / (1 - now), x0(a, x)),
            (sqrt(1 - beta) * (1 - before) / (1 - now), x),
        )
        x = mean + [size]
    return deviation(x)


def ddpm_of_levels(grid):
    """The same chain where the variance explodes, arXiv 2011.13456, appendix F, with the score (x0 - x) / t^2."""
    times, x = levels(grid)
    for t, to in zip(times, times[1:]):
        gap = t**2 - to**2
        mean = add((1, x), (gap / t**2, x0(edm(t), x)), (-gap / t**2, x))
        x = mean + [sqrt(to**2 * gap) / t]
    return deviation(x)


# -- DDIM, arXiv 2010.02502 ------------------------------------------------------------------------


def ddim(grid, eta):
    """Equations 12 and 16, whose states are variance-preserving: those of the same levels, smaller by alpha."""
    times, (start,) = levels(grid)
    x = [start * at_level(vp, times[0]).alpha]
    for axis, (t, to) in enumerate(zip(times, times[1:]), 1):
        a, b = at_level(vp, t), at_level(vp, to)
        now, before = a.alpha**2, b.alpha**2
        size = eta * sqrt((1 - before) / (1 - now)) * sqrt(1 - now / before)
        kept = sqrt(1 - before - size**2)
        x = add((sqrt(before), x0(a, x)), (kept, eps(a, x)), (size, unit(axis)))
    return deviation(x)


# -- Ancestral steps: the noise of arXiv 2010.02502, equation 16 -----------------------------------


def split(t, to, eta):
    """Noise that is kept and noise that is fresh, to^2 together."""
    up = eta * to * sqrt(1 - to**2 / t**2)
    return sqrt(to**2 - up**2), up


def euler_a(grid, eta):
    """Along the slope (x - x0) / t below the next level, then up to it."""
    times, x = levels(grid)
    for axis, (t, to) in enumerate(zip(times, times[1:]), 1):
        down, up = split(t, to, eta)
        slope = add((1 / t, x), (-1 / t, x0(edm(t), x)))
        x = add((1, x), (down - t, slope), (up, unit(axis)))
    return deviation(x)


def dpmpp_2s_a(grid, eta, s_noise):
    """DPM-Solver++(2S) in the place of Euler's step; the last, into clean data, is the prediction."""
    times, x = levels(grid)
    for axis, (t, to) in enumerate(zip(times, times[1:]), 1):
        if to == 0:
            x = x0(edm(t), x)
            continue
        down, up = split(t, to, eta)
        x = add((1, dpmpp_2s(edm, edm(t), edm(down), x)), (s_noise * up, unit(axis)))
    return deviation(x)


def dpmpp_sde(grid, eta, s_noise):
    """SDE-DPM-Solver++ of arXiv 2211.01095 to the middle in lambda, then the whole step with the x0 found there.

    The noise is an integral of e^lambda dw, a Brownian motion with the clock e^(2 lambda) = 1 / t^2, so that the
    whole step's is the first half's and a piece of its own, by their shares of the clock.
    """
    times, x = levels(grid)

    def move(t, to, m, z):
        down, up = split(t, to, eta)
        return add((1, m), (down / t, x), (-down / t, m), (s_noise * up, z))

    for i, (t, to) in enumerate(zip(times, times[1:])):
        m = x0(edm(t), x)
        if to == 0:
            x = m
            continue
        mid = sqrt(t * to)
        first, second = unit(2 * i + 1), unit(2 * i + 2)
        m = x0(edm(mid), move(t, mid, m, first))
        early, late = mid**-2 - t**-2, to**-2 - mid**-2
        whole = early + late
        x = move(t, to, m, add((sqrt(early / whole), first), (sqrt(late / whole), second)))
    return deviation(x)


def consistency(grid, gamma):
    """Arxiv 2303.01469, algorithm 1, with 0 for the level of its outputs; gamma-sampling of arXiv 2310.02279."""
    times, x = levels(grid)
    for axis, (t, to) in enumerate(zip(times, times[1:]), 1):
        m = x0(edm(t), x)
        low = to * sqrt(1 - gamma**2)  # the jump's level, before the fresh noise
        x = add((1, m), (low / t, x), (-low / t, m), (gamma * to, unit(axis)))
    return deviation(x)


# -- Heun's method of arXiv 2206.00364 with churn, and Restart, arXiv 2306.14878 -------------------


def heun(t, to, x):
    """Algorithm 1, lines 4 to 8."""
    d = add((1 / t, x), (-1 / t, x0(edm(t), x)))
    y = add((1, x), (to - t, d))
    if to == 0:
        return y
    d2 = add((1 / to, y), (-1 / to, x0(edm(to), y)))
    return add((1, x), ((to - t) / 2, d), ((to - t) / 2, d2))


def churn(grid, s_churn, s_min=mpf(0), s_max=mpf("inf"), s_noise=mpf(1)):
    """Algorithm 2."""
    times, x = levels(grid)
    most = min(s_churn / (len(times) - 1), sqrt(mpf(2)) - 1)
    for axis, (t, to) in enumerate(zip(times, times[1:]), 1):
        raised = t * (1 + most) if s_min <= t <= s_max else t
        x = add((1, x), (s_noise * sqrt(raised**2 - t**2), unit(axis)))
        x = heun(raised, to, x)
    return deviation(x)


CIFAR = "3x2@0.14-0.3"
IMAGENET = "4x1@19.35-40.79+4x1@1.09-1.92+4x5@0.59-1.09+4x5@0.3-0.59+6x6@0.06-0.3"


def restart(steps, segments, s_noise):
    """Section 3.1: from the node nearest to a segment's low level up to its high one and Heun down, K times."""
    times, x = levels(karras_grid(steps))
    places = {}
    for segment in segments.split("+"):
        counts, (low, high) = segment.split("@")[0], segment.split("@")[1].split("-")
        count, repeats = (int(n) for n in counts.split("x"))
        nearest = min(range(steps), key=lambda i: abs(times[i] - mpf(low)))
        places[nearest] = (count, repeats, mpf(high))
    axis = 0
    for i, (t, to) in enumerate(zip(times, times[1:])):
        x = heun(t, to, x)
        count, repeats, high = places.get(i + 1, (0, 0, None))
        for _ in range(repeats):
            axis += 1
            x = add((1, x), (s_noise * sqrt(high**2 - to**2), unit(axis)))
            inner = karras_levels(high, to, count)
            for s, below in zip(inner, inner[1:]):
                x = heun(s, below, x)
    return deviation(x)
