#!/usr/bin/env python3
"""Golden values -> the tables of samplers/ that name this file; --check compares them with those tables.

    pip install mpmath==1.4.1
    python scripts/parity/golden_gains.py [--check]

50-digit evaluations of the formulas of the papers, as they stand there: coefficients, and for normal data of
deviation 1/2 the deviation of the final state, or the state itself where nothing is drawn. Nothing in golden/ knows
how the crate writes a step. A line says in which test a value stands, on which path and grid, and from which state it
starts.
"""

import argparse
import sys

from golden import tables_families, tables_golden
from golden.check import check, row_text

# The files of which every number with as many digits as a golden value must be one of the values here.
COMPLETE = (
    "golden.rs",
    "multistep.rs",
    "singlestep.rs",
    "stochastic.rs",
    "adaptive.rs",
    "sde.rs",
    "../src/phi.rs",
)


def tables():
    """File, what stands there, and rows of the specification in the same line, if one is, with numbers in a row."""
    yield from tables_golden.tables()
    yield from tables_families.tables()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="compare with the tests instead of printing"
    )
    compare = parser.parse_args().check
    rows = [(file, what, spec, ns) for file, what, table in tables() for spec, *ns in table]
    if not compare:
        for file, what, spec, numbers in rows:
            print(f"{file}: {what}: {row_text(spec, numbers)}")
        return 0
    wrong, largest = check([(file, spec, ns) for file, _, spec, ns in rows], COMPLETE)
    for line in wrong:
        print(f"error: {line}", file=sys.stderr)
    print(
        f"{len(rows)} rows, {len(wrong)} problems, largest relative difference {float(largest):.1e}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
