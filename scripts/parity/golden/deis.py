"""DEIS, arXiv 2204.13902: eps as a polynomial through its last values, in t, in rho or in ln rho."""

from functools import cache

from mpmath import mpf, quad

from .normal import add, beta, edm, eps


def in_t(node):
    return node.t


def in_rho(node):
    return node.rho()


def in_log_rho(node):
    return -node.lam()


def psi(a, b):
    """What is left of the state where nothing is predicted."""
    return b.alpha / a.alpha


def weight_of_eps(path, node, b):
    """Psi(t', t) g^2 / (2 sigma), under the integral of equation 15 with L = sigma."""
    squared = 2 * node.t if path is edm else beta(node.t)
    return psi(node, b) * squared / (2 * node.sigma)


@cache
def coefficients(path, variable, b, used):
    """Equation 15 of the step from used[0] to b: the integrals with Lagrange's polynomials, from the newest back."""
    at = [variable(n) for n in used]

    def coefficient(j):
        def f(t):
            node = path(t)
            value = weight_of_eps(path, node, b)
            for k, other in enumerate(at):
                if k != j:
                    value *= (variable(node) - other) / (at[j] - other)
            return value

        return quad(f, [used[0].t, b.t])

    return [coefficient(j) for j in range(len(at))]


def steps(grid, variable, degree):
    """Nodes of each step and its coefficients; the first steps have as many predictions as there are."""
    path, nodes, _ = grid
    for i, (a, b) in enumerate(zip(nodes, nodes[1:])):
        used = tuple(nodes[i - k] for k in range(min(degree, i) + 1))
        yield a, b, coefficients(path, variable, b, used)


def deis(grid, variable, degree):
    """Equation 14."""
    x, history = [grid[2]], []
    for a, b, c in steps(grid, variable, degree):
        history = [eps(a, x), *history]
        x = add((psi(a, b), x), *zip(c, history))
    return x[0]


def table(grid, variable):
    """Step, degree and coefficients of every step that has the whole degree."""
    for degree in (1, 2, 3):
        for i, (_, _, c) in enumerate(steps(grid, variable, degree)):
            if i >= degree:
                yield i, degree, *c


def of_degree_zero(grid):
    """Psi and the only coefficient of each step."""
    found = list(steps(grid, in_t, 0))
    return [psi(a, b) for a, b, _ in found], [c[0] for _, _, c in found]
