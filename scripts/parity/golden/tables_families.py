"""Values of the tests of single families: multistep.rs, singlestep.rs, stochastic.rs, adaptive.rs and sde.rs."""

from mpmath import mpf, sqrt

from . import singlestep as ss
from .adaptive import adaptive
from .deis import deis, in_log_rho, in_rho, table
from .dpm_multistep import dpm_multistep, line, midpoint, on_eps, on_x0, parabola, through_three
from .multistep import flow_ab2, pndm, sde_1
from .normal import exact
from .places import EDM, FLOW, GOLDEN, KARRAS, KARRAS_8, SHIFTED, SHIFTED_FLOW, UNIFORM_FLOW, VP
from .stochastic import (
    CIFAR,
    IMAGENET,
    churn,
    consistency,
    ddpm_of_levels,
    dpmpp_2s_a,
    dpmpp_sde,
    euler_a,
    restart,
)
from .unipc import bh1, unipc

HALF, NOISE = mpf(1) / 2, mpf("1.003")
DEIS_IN = {"rhoab": in_rho, "logrho": in_log_rho}


def multistep():
    for name, variable in DEIS_IN.items():
        yield "multistep.rs", f"step, degree and C_j of deis-{name} on the golden grid", [
            ("", *row) for row in table(VP, variable)
        ]
    full = "lower_order_final=false"
    yield "multistep.rs", GOLDEN, [
        *[
            (f"deis-{name}{degree}", deis(VP, variable, degree))
            for name, variable in DEIS_IN.items()
            for degree in (1, 2, 3)
        ],
        ("ipndm", pndm(VP, "ipndm")),
        (f"dpm-2m:{full}", dpm_multistep(VP, on_eps, midpoint, 2)),
        (f"dpm-2m:type=taylor:{full}", dpm_multistep(VP, on_eps, line, 2)),
        (f"dpm-3m:{full}", dpm_multistep(VP, on_eps, parabola, 3)),
        (f"dpmpp-3m:{full}", dpm_multistep(VP, on_x0, parabola, 3)),
        (f"dpmpp-3m:type=exact:{full}", dpm_multistep(VP, on_x0, through_three, 3)),
        *[(f"unipc:order={p}:{full}", unipc(VP, p)) for p in (1, 2, 3)],
        *[(f"unipc:order={p}", unipc(VP, p, lower=True)) for p in (2, 3)],
        *[(f"unipc:order={p}:variant=bh1:{full}", unipc(VP, p, bh1)) for p in (1, 2, 3)],
        (f"unipc:order=3:corrector=false:{full}", unipc(VP, 3, corrector=False)),
    ]
    yield "multistep.rs", KARRAS_8, [
        ("res-2m", dpm_multistep(EDM, on_x0, line, 2)),
        ("ipndm", pndm(EDM, "ipndm")),
        ("lms:order=2", deis(EDM, in_rho, 1)),
        ("lms:order=3", deis(EDM, in_rho, 2)),
        ("lms", deis(EDM, in_rho, 3)),
    ]
    yield "multistep.rs", FLOW, [("flow-ab2", flow_ab2(UNIFORM_FLOW))]
    yield "multistep.rs", SHIFTED, [("flow-ab2", flow_ab2(SHIFTED_FLOW))]


def singlestep():
    yield "singlestep.rs", GOLDEN, [
        ("rhork2-heun", ss.runge_kutta(VP, ss.HEUN_2)),
        ("rhork3-kutta", ss.runge_kutta(VP, ss.KUTTA_3)),
        ("rhork4", ss.runge_kutta(VP, ss.CLASSICAL_4)),
        ("dpm-2", ss.dpm_2(VP)),
        *lambda_steps(VP, "dpm-2s dpm-3s dpm-fast dpmpp-2s dpmpp-3s dpmpp-fast"),
    ]
    yield "singlestep.rs", KARRAS_8, [
        ("rhork2-heun", ss.runge_kutta(EDM, ss.HEUN_2)),
        ("dpm-2", ss.dpm_2(EDM)),
        *lambda_steps(EDM, "dpm-2s dpmpp-2s res-2s dpmpp-3s dpm-3s"),
    ]
    yield "singlestep.rs", FLOW, [
        (spec, ss.runge_kutta(UNIFORM_FLOW, method))
        for spec, method in (
            ("midpoint", ss.MIDPOINT),
            ("rhork2-heun", ss.HEUN_2),
            ("rhork3-kutta", ss.KUTTA_3),
            ("rhork3-heun", ss.HEUN_3),
            ("rhork3-ralston", ss.RALSTON_3),
            ("rhork3-ssp", ss.SSP_3),
            ("rhork3-houwen", ss.HOUWEN_3),
            ("rhork4", ss.CLASSICAL_4),
        )
    ]
    yield "singlestep.rs", SHIFTED, [("midpoint", ss.runge_kutta(SHIFTED_FLOW, ss.MIDPOINT))]


def lambda_steps(grid, specs):
    # The fast ones without a tail have the order 3 throughout.
    steps = {
        "dpm-2s": ss.dpm_2s,
        "dpm-3s": ss.dpm_3s,
        "dpm-fast": ss.dpm_3s,
        "dpmpp-2s": ss.dpmpp_2s,
        "dpmpp-3s": ss.dpmpp_3s,
        "dpmpp-fast": ss.dpmpp_3s,
        "res-2s": ss.res_2s,
    }
    return [(spec, ss.single_step(grid, steps[spec])) for spec in specs.split()]


def stochastic():
    one = mpf(1)
    yield "stochastic.rs", KARRAS_8, [
        ("euler-a", euler_a(EDM, one)),
        ("euler-a:eta=0.5", euler_a(EDM, HALF)),
        ("ddpm", ddpm_of_levels(EDM)),
        ("dpmpp-sde", dpmpp_sde(EDM, one, one)),
        ("dpmpp-sde:eta=0.5", dpmpp_sde(EDM, HALF, one)),
        ("dpmpp-sde:s_noise=1.003", dpmpp_sde(EDM, one, NOISE)),
        ("dpmpp-2s-a", dpmpp_2s_a(EDM, one, one)),
        ("dpmpp-2s-a:eta=0.5", dpmpp_2s_a(EDM, HALF, one)),
        ("dpmpp-2s-a:s_noise=1.003", dpmpp_2s_a(EDM, one, NOISE)),
        ("consistency", consistency(EDM, one)),
        ("consistency:gamma=0.5", consistency(EDM, HALF)),
        ("heun:s_churn=1.2", churn(EDM, mpf("1.2"))),
        ("heun:s_churn=40", churn(EDM, mpf(40))),
        (
            "heun:s_churn=40:s_min=0.05:s_max=50:s_noise=1.003",
            churn(EDM, mpf(40), mpf("0.05"), mpf(50), NOISE),
        ),
        ("many steps", exact(EDM)),  # what restart approaches there
    ]
    yield "stochastic.rs", KARRAS.format(18), [("restart", restart(18, CIFAR, one))]
    imagenet = f"restart:segments={IMAGENET}:s_noise=1.003"
    yield "stochastic.rs", KARRAS.format(36), [(imagenet, restart(36, IMAGENET, NOISE))]


def with_adaptive_steps():
    rows = []
    for name in ("dpm-12", "dpm-12:pred=x0", "dpm-23", "dpm-23:pred=x0"):
        rows += [
            (name, *adaptive(name)),
            (f"{name}:rtol=0.001:atol=0.0001", *adaptive(name, rtol="0.001", atol="0.0001")),
            (f"{name}:h_init=6", *adaptive(name, h_init="6")),
        ]
    yield "adaptive.rs", "vp-linear, own steps from t = 1 to 1e-3, accepted and rejected, from 1", rows


def sde():
    yield "sde.rs", KARRAS_8, [
        ("sde-dpmpp-1", sde_1(EDM, mpf(1))),
        ("sde-dpmpp-1:tau=0.7071067811865476", sde_1(EDM, sqrt(HALF))),
        ("sde-dpmpp-1:tau=0", sde_1(EDM, mpf(0))),
    ]


def tables():
    for group in (multistep, singlestep, stochastic, with_adaptive_steps, sde):
        yield from group()
