#!/usr/bin/env python3
"""Golden values -> the tables of samplers/tests that name this file; --check compares them with those tables.

    pip install mpmath==1.4.1
    python scripts/parity/golden_gains.py [--check]

50-digit evaluations of the formulas of the papers, as they stand there, for normal data of deviation 1/2: the
deviation of the final state, or the state itself where nothing is drawn. Nothing in golden/ knows how the crate
writes a step. A line says in which test a value stands, on which path and grid, and from which state it starts.
"""

import argparse
import re
import sys
from pathlib import Path

from mpmath import mpf

from golden import singlestep as ss
from golden.adaptive import adaptive
from golden.multistep import pndm, sa, sde_2m, sde_3m_exact
from golden.normal import exact, flow_grid, golden_grid, karras_grid
from golden.stochastic import (
    CIFAR,
    IMAGENET,
    churn,
    consistency,
    ddpm,
    ddpm_of_levels,
    dpmpp_2s_a,
    dpmpp_sde,
    euler_a,
    restart,
)

TESTS = Path(__file__).resolve().parents[2] / "samplers/tests"
# The tests of which every number with as many digits as a golden value must be one of the values here.
COMPLETE = ("singlestep.rs", "stochastic.rs", "adaptive.rs")
GOLDEN = "vp-linear, quadratic in t from 1 to 1e-3, 5 steps, from 1"
KARRAS = "edm, karras from 80 to 0, {} steps, from 80"
SA_3_4 = "sa-solver:predictor=3:corrector=4:tau=0.7:slope=exact:lower_order_final=false"

HALF, NOISE = mpf(1) / 2, mpf("1.003")
VP, EDM = golden_grid(), karras_grid(8)


# A table: file, path and grid, and rows of a specification with its value, or with several numbers.


def multistep():
    yield "golden.rs", GOLDEN, [
        ("pndm", pndm(VP, "rk4")),
        ("pndm:warm_up=plms", pndm(VP, "plms")),
        ("ddpm", ddpm(VP, mpf(0))),
        ("ddpm:variance=large", ddpm(VP, mpf(1))),
        ("ddpm:variance=0.25", ddpm(VP, mpf(1) / 4)),
        *sde_and_sa(VP),
        ("sde-dpmpp-3m:type=exact:lower_order_final=false", sde_3m_exact(VP, mpf(1))),
    ]
    yield "golden.rs", KARRAS.format(8), [
        ("pndm", pndm(EDM, "rk4")),
        ("pndm:warm_up=plms", pndm(EDM, "plms")),
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


def singlestep():
    yield "singlestep.rs", GOLDEN, [
        ("rhork2-heun", ss.runge_kutta(VP, ss.HEUN_2)),
        ("rhork3-kutta", ss.runge_kutta(VP, ss.KUTTA_3)),
        ("rhork4", ss.runge_kutta(VP, ss.CLASSICAL_4)),
        ("dpm-2", ss.dpm_2(VP)),
        *lambda_steps(VP, "dpm-2s dpm-3s dpm-fast dpmpp-2s dpmpp-3s dpmpp-fast"),
    ]
    yield "singlestep.rs", KARRAS.format(8), [
        ("rhork2-heun", ss.runge_kutta(EDM, ss.HEUN_2)),
        ("dpm-2", ss.dpm_2(EDM)),
        *lambda_steps(EDM, "dpm-2s dpmpp-2s res-2s dpmpp-3s dpm-3s"),
    ]
    yield "singlestep.rs", "flow, uniform in t from 1 to 0, 5 steps, from 1", [
        (spec, ss.runge_kutta(flow_grid(1), method))
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
    yield "singlestep.rs", "flow, uniform in t from 1 to 0 with shift 3, 5 steps, from 1", [
        ("midpoint", ss.runge_kutta(flow_grid(3), ss.MIDPOINT))
    ]


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
    yield "stochastic.rs", KARRAS.format(8), [
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


def tables():
    for group in (multistep, singlestep, stochastic, with_adaptive_steps):
        yield from group()


def row_text(spec, value, counts):
    return f'("{spec}", {", ".join([repr(float(value)), *map(str, counts)])}),'


# -- The tests ------------------------------------------------------------------------------------


def significant(number):
    """How many digits of a number in a test count."""
    return len(number.split("e")[0].replace(".", "").lstrip("0"))


def lines_of(file):
    """Each line of a test with the strings and the numbers in it; constants count as what they stand for."""
    text = (TESTS / file).read_text()
    for name, value in re.findall(r'const (\w+): &str =\s*("[^"]*");', text):
        text = re.sub(rf"\b{name}\b", value, text)
    for line in text.splitlines():
        strings = re.findall(r'"([^"]*)"', line)
        rest = re.sub(r'"[^"]*"|//.*', " ", line)
        numbers = re.findall(r"(?<![\w.])\d[\d_]*(?:\.[\d_]+)?(?:e-?\d+)?\b", rest)
        yield strings, [number.replace("_", "") for number in numbers]


def difference(value, literal):
    return abs(mpf(literal) / value - 1)


def nearest(lines, spec, value, counts):
    """The least difference from a golden value that stands with its specification, and with its counts after it."""
    found = [mpf("inf")]
    for strings, numbers in lines:
        for i, number in enumerate(numbers):
            after = numbers[i + 1 : i + 1 + len(counts)]
            if spec in strings and significant(number) >= 12 and after == [str(n) for n in counts]:
                found.append(difference(value, number))
    return min(found)


def check(rows):
    """What is wrong: values that are not in their test to 13 digits, and numbers of the tests that nothing gave."""
    wrong, largest = [], mpf(0)
    for file in sorted({row[0] for row in rows}):
        lines = list(lines_of(file))
        mine = [(spec, numbers) for of, _, spec, numbers in rows if of == file]
        for spec, (value, *counts) in mine:
            off = nearest(lines, spec, value, counts)
            if off > mpf("1e-13"):
                wrong.append(f"{file}: no line has {row_text(spec, value, counts)}")
            else:
                largest = max(largest, off)
        if file in COMPLETE:
            literals = [n for _, numbers in lines for n in numbers if significant(n) >= 12]
            values = [numbers[0] for _, numbers in mine]
            for n in literals:
                if min(difference(v, n) for v in values) > mpf("1e-13"):
                    wrong.append(f"{file}: nothing here gives {n}")
    return wrong, largest


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="compare with the tests instead of printing"
    )
    compare = parser.parse_args().check
    rows = [(file, grid, spec, ns) for file, grid, table in tables() for spec, *ns in table]
    if not compare:
        for file, grid, spec, (value, *counts) in rows:
            print(f"{file}: {grid}: {row_text(spec, value, counts)}")
        return 0
    wrong, largest = check(rows)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    print(
        f"{len(rows)} values, {len(wrong)} problems, largest relative difference {float(largest):.1e}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
