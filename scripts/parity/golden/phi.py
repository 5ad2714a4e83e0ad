"""The phi functions of exponential integrators."""

from mpmath import exp, factorial


def phi(k, z):
    """The integral over s from 0 to 1 of e^((1 - s) z) s^(k - 1) / (k - 1)!, by its recurrence."""
    if k == 0:
        return exp(z)
    return (phi(k - 1, z) - 1 / factorial(k - 1)) / z
