"""Values of samplers/tests/golden.rs and of the phi functions."""

from mpmath import mpf

from . import singlestep as ss
from .deis import deis, in_t, of_degree_zero, table
from .dpm_multistep import dpm_multistep, line, midpoint, on_x0
from .multistep import pndm, sa, sde_2m, sde_3m_exact
from .normal import above_zero, ddpm_betas, exact, last_level, sd_betas
from .phi import phi
from .places import EDM, FLOW, GOLDEN, KARRAS_8, SHIFTED, SHIFTED_FLOW, UNIFORM_FLOW, VP
from .stochastic import ddim, ddpm

SA_3_4 = "sa-solver:predictor=3:corrector=4:tau=0.7:slope=exact:lower_order_final=false"
HALF = mpf(1) / 2


def coefficients():
    yield "golden.rs", "t, rho and lambda of the golden grid", [
        ("", n.t, n.rho(), n.lam()) for n in VP[1]
    ]
    psi, first = of_degree_zero(VP)
    yield "golden.rs", "psi and C_0 of deis-tab0 on the golden grid", [("", *psi), ("", *first)]
    yield "golden.rs", "step, degree and C_j of deis-tab on the golden grid", [
        ("", *row) for row in table(VP, in_t)
    ]
    yield "golden.rs", "rho of row 999", [
        ("ddpm", last_level(ddpm_betas())),
        ("sd", last_level(sd_betas())),
    ]
    yield "../src/phi.rs", "z, phi_1 and phi_2", [
        phis(z, 1, 2) for z in ("-3", "-0.1", "1e-9", "0.49")
    ]
    yield "../src/phi.rs", "z, phi_3 and phi_4", [
        phis(z, 3, 4) for z in ("-3", "-1.9", "-0.1", "1.9")
    ]


def phis(z, *orders):
    return "", mpf(z), *[phi(k, mpf(z)) for k in orders]


def without_noise():
    yield "golden.rs", GOLDEN, [
        ("exact", exact(VP)),
        ("ddim", ss.single_step(VP, ss.ddim)),
        ("euler", ss.runge_kutta(VP, ss.EULER)),
        *[(f"deis-tab{degree}", deis(VP, in_t, degree)) for degree in range(4)],
        ("heun", ss.runge_kutta(VP, ss.HEUN_2)),
        ("dpmpp-2m:lower_order_final=false", dpm_multistep(VP, on_x0, midpoint, 2)),
        ("dpmpp-2m:type=heun:lower_order_final=false", dpm_multistep(VP, on_x0, line, 2)),
        ("pndm", pndm(VP, "rk4")),
        ("pndm:warm_up=plms", pndm(VP, "plms")),
    ]
    yield "golden.rs", KARRAS_8, [
        ("exact", exact(EDM)),
        ("ddim", ss.single_step(EDM, ss.ddim)),
        ("euler", ss.runge_kutta(EDM, ss.EULER)),
        ("heun", ss.runge_kutta(EDM, ss.HEUN_2)),
        ("dpmpp-2m", dpm_multistep(EDM, on_x0, midpoint, 2)),
        ("dpmpp-2m:type=heun", dpm_multistep(EDM, on_x0, line, 2)),
        ("pndm", pndm(EDM, "rk4")),
        ("pndm:warm_up=plms", pndm(EDM, "plms")),
    ]


def on_flow():
    # One value for Euler, DDIM and DEIS of degree 0, whose names are a line further up.
    yield "golden.rs", FLOW, [("", ss.runge_kutta(UNIFORM_FLOW, ss.EULER))]
    yield "golden.rs", SHIFTED, [("euler", ss.runge_kutta(SHIFTED_FLOW, ss.EULER))]
    for name, grid in ((FLOW, UNIFORM_FLOW), (SHIFTED, SHIFTED_FLOW)):
        yield "golden.rs", name, [("heun", ss.runge_kutta(grid, ss.HEUN_2))]
        above = f"{name}, the end an ulp above 0"
        yield "golden.rs", above, [("heun", ss.runge_kutta(above_zero(grid), ss.HEUN_2))]


def with_noise():
    yield "golden.rs", GOLDEN, [
        ("ddpm", ddpm(VP, mpf(0))),
        ("ddpm:variance=large", ddpm(VP, mpf(1))),
        ("ddpm:variance=0.25", ddpm(VP, mpf(1) / 4)),
        *sde_and_sa(VP),
        ("sde-dpmpp-3m:type=exact:lower_order_final=false", sde_3m_exact(VP, mpf(1))),
    ]
    yield "golden.rs", KARRAS_8, [
        ("ddim:eta=0.5", ddim(EDM, HALF)),
        ("ddim:eta=1", ddim(EDM, mpf(1))),
        ("ddim", ddim(EDM, mpf(0))),
        *sde_and_sa(EDM),
    ]


def sde_and_sa(grid):
    return [
        ("sde-dpmpp-2m", sde_2m(grid, mpf(1))),
        ("sde-dpmpp-2m:tau=0.5", sde_2m(grid, HALF)),
        ("sa-solver", sa(grid, mpf(1), 2, 2, True, True)),
        ("sa-solver:slope=exact", sa(grid, mpf(1), 2, 2, True, False)),
        (SA_3_4, sa(grid, mpf("0.7"), 3, 4, False, False)),
    ]


def tables():
    for group in (coefficients, without_noise, on_flow, with_noise):
        yield from group()
