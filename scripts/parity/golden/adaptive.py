"""DPM-Solver-12 and DPM-Solver-23, arXiv 2206.00927, appendix C."""

from mpmath import exp, mpf

from .normal import at_level, vp
from .singlestep import ddim, dpm_2s, dpm_3s, dpmpp_2s, dpmpp_3s

THIRD = mpf(1) / 3


def lower_23(path, a, b, x):
    return dpm_2s(path, a, b, x, THIRD)


def lower_23_x0(path, a, b, x):
    return dpmpp_2s(path, a, b, x, THIRD)


PAIRS = {
    "dpm-12": (2, ddim, dpm_2s),
    "dpm-12:pred=x0": (2, ddim, dpmpp_2s),
    "dpm-23": (3, lower_23, dpm_3s),
    "dpm-23:pred=x0": (3, lower_23_x0, dpmpp_3s),
}


def adaptive(name, rtol="0.05", atol="0.0078", h_init="0.05"):
    """From t = 1 to 1e-3 on VP-linear: the final state, steps accepted and rejected.

    The control of arXiv 2105.14080, algorithm 1, with safety 0.9. Its `before` is the lower solution of the last
    accepted step, at first the state.
    """
    order, lower, higher = PAIRS[name]
    rtol, atol, h = mpf(rtol), mpf(atol), mpf(h_init)
    at, end, x = vp(mpf(1)), vp(mpf("1e-3")), [mpf(1)]
    before, accepted, rejected = x, 0, 0
    while at is not end:
        left = end.lam() - at.lam()
        h = min(h, left)
        to = end if h == left else at_level(vp, exp(-(at.lam() + h)))
        lo, hi = lower(vp, at, to, x), higher(vp, at, to, x)
        error = abs(hi[0] - lo[0]) / max(atol, rtol * max(abs(lo[0]), abs(before[0])))
        if error <= 1:
            at, x, before, accepted = to, hi, lo, accepted + 1
        else:
            rejected += 1
        h *= mpf("0.9") * error ** (-mpf(1) / order)
    return x[0], accepted, rejected
