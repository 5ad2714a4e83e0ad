"""Comparison of the golden values with the tests."""

import re
from pathlib import Path

from mpmath import mpf

TESTS = Path(__file__).resolve().parents[3] / "samplers/tests"
DIGITS = 12  # that a number of a test has at least if it is a golden value


def row_text(spec, numbers):
    name = [f'"{spec}"'] if spec else []
    texts = [str(n) if isinstance(n, int) else repr(float(n)) for n in numbers]
    return f"({', '.join(name + texts)}),"


def significant(number):
    """How many digits of a number in a test count."""
    return len(number.split("e")[0].lstrip("-").replace(".", "").lstrip("0"))


def lines_of(file):
    """Each line of a test with the strings and the numbers in it; constants count as what they stand for."""
    text = (TESTS / file).read_text()
    for name, value in re.findall(r'const (\w+): &str =\s*("[^"]*");', text):
        text = re.sub(rf"\b{name}\b", value, text)
    for line in text.splitlines():
        string = r'"((?:[^"\\]|\\.)*)"'
        strings = re.findall(string, line)
        rest = re.sub(rf"{string}|//.*", " ", line)
        numbers = re.findall(r"(?<![\w.])-?\d[\d_]*(?:\.[\d_]+)?(?:e-?\d+)?\b", rest)
        yield strings, [number.replace("_", "") for number in numbers]


def is_rounded(value, number):
    """Whether a number of a test is the value with as many digits, or the value as a double."""
    mantissa, _, exponent = number.partition("e")
    unit = mpf(10) ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    allowed = unit / 2 if significant(number) >= DIGITS else 0
    return abs(mpf(number) - value) <= allowed + abs(value) / 2**52


def places(lines, spec, numbers):
    """Where a row's numbers stand one after the other, in a line with its specification, as (line, first, last)."""
    for i, (strings, found) in enumerate(lines):
        if spec and spec not in strings:
            continue
        for k in range(len(found) - len(numbers) + 1):
            if all(is_rounded(*pair) for pair in zip(numbers, found[k:])):
                yield i, k, k + len(numbers)


def check(rows, complete):
    """What is wrong: rows that their test lacks, and numbers of complete files that are in no row.

    Also the largest relative difference of the others.
    """
    wrong, largest = [], mpf(0)
    for file in sorted({*complete, *[row[0] for row in rows]}):
        lines, given = list(lines_of(file)), set()
        for spec, values in [row[1:] for row in rows if row[0] == file]:
            found = list(places(lines, spec, values))
            if not found:
                wrong.append(f"{file}: no line has {row_text(spec, values)}")
            for i, first, last in found:
                given |= {(i, k) for k in range(first, last)}
                pairs = zip(values, lines[i][1][first:last])
                largest = max(largest, *[abs(mpf(n) / v - 1) for v, n in pairs if v])
        if file in complete:
            wrong += [
                f"{file}: nothing here gives {number} in line {i + 1}"
                for i, (_, numbers) in enumerate(lines)
                for k, number in enumerate(numbers)
                if significant(number) >= DIGITS and (i, k) not in given
            ]
    return wrong, largest
