#!/usr/bin/env bash
# Runs the program as a person would and looks at what comes out: exit codes, stdout, files.
# Argument: the program (default: the release build).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly fewstep=${1:-${CARGO_TARGET_DIR:-target}/release/fewstep}
dir=$(mktemp -d)
passed=0
failed=0

# check WHAT COMMAND...: the command must succeed; what it says is shown if not.
check() {
    local what=$1
    shift
    if "$@" >"$dir/said" 2>&1; then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$what"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n' "$what"
        sed 's/^/        /' "$dir/said"
    fi
}

# exits CODE ARGUMENTS...: the program must end with that code; leaves $dir/stdout and $dir/stderr.
exits() {
    local want=$1 got=0
    shift
    "$fewstep" "$@" >"$dir/stdout" 2>"$dir/stderr" </dev/null || got=$?
    ((got == want)) && return
    printf 'exit code %d instead of %d; stderr:\n' "$got" "$want"
    cat "$dir/stderr"
    return 1
}

finish() {
    if ((failed == 0)); then
        rm -rf "$dir"
    else
        printf 'what the program wrote is in %s\n' "$dir"
    fi
    printf 'e2e: %d passed, %d failed\n' "$passed" "$failed"
    ((failed == 0))
}

# --- plan

check 'plan runs' exits 0 plan --solver deis-tab3 --steps 5 --json
check 'stdout is one plan: schema 1, five steps, five evaluations, falling times' python3 - "$dir/stdout" <<'PY'
import json, sys
plan = json.load(open(sys.argv[1]))
assert plan["version"] == 1, plan["version"]
assert plan["steps"] == 5, plan["steps"]
evals = sum(op["op"] == "eval" for op in plan["ops"])
assert evals == 5, f"{evals} evaluations"
times = [node["t"] for node in plan["nodes"][:6]]
assert all(a > b for a, b in zip(times, times[1:])), times
PY

# --- generate

generate=(generate -m fmnist-edm --seeds 0-7 --solver deis-tab3 --steps 5)
check 'generate runs' exits 0 "${generate[@]}" -o "$dir/pictures"
check 'eight different pictures of 28x28 that tell their solver, a grid, eight lines of manifest' python3 - "$dir/pictures" <<'PY'
import json, pathlib, struct, sys, zlib
folder = pathlib.Path(sys.argv[1])

def chunks(file):
    data = file.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", f"{file} is no PNG"
    at = 8
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        assert zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0], f"{file}: bad {kind}"
        yield kind, body
        at += 12 + size

pictures = sorted(f for f in folder.rglob("*.png") if f.stem.isdigit())
assert [int(f.stem) for f in pictures] == list(range(8)), pictures
contents = set()
for file in pictures:
    parts = list(chunks(file))
    assert struct.unpack(">II", parts[0][1][:8]) == (28, 28), f"{file}: {parts[0]}"
    assert any(b"deis-tab3" in body for kind, body in parts if kind in (b"tEXt", b"iTXt")), f"{file} names no solver"
    contents.add(b"".join(body for kind, body in parts if kind == b"IDAT"))
assert len(contents) == 8, f"only {len(contents)} of 8 pictures differ"
width, height = struct.unpack(">II", next(chunks(folder / "grid.png"))[1][:8])
assert width * height >= 8 * 28 * 28, (width, height)
lines = (folder / "manifest.jsonl").read_text().splitlines()
assert len([json.loads(line) for line in lines]) == 8, f"{len(lines)} lines in manifest.jsonl"
PY
check 'generate runs again' exits 0 "${generate[@]}" -o "$dir/again"
check 'the same seeds give the same files' python3 - "$dir/pictures" "$dir/again" <<'PY'
import pathlib, sys
one, two = map(pathlib.Path, sys.argv[1:])
names = sorted(f.relative_to(one) for f in one.rglob("*.png"))
assert len(names) == 9, names
differing = [str(n) for n in names if (one / n).read_bytes() != (two / n).read_bytes()]
assert not differing, differing
PY

# --- bench

bench=(bench -m fmnist-edm --solver 'ddim,deis-tab3' --nfe '3,5' --samples 64 -o "$dir/bench")
check 'bench runs' exits 0 "${bench[@]}"
check 'the table on stdout names both solvers' grep -qz 'ddim.*deis-tab3' "$dir/stdout"
check 'report.json has four cells with finite metrics' python3 - "$dir/bench/report.json" <<'PY'
import json, math, sys
report = json.load(open(sys.argv[1]))
assert report["schema"] == 1, report["schema"]
cells = {(cell["solver"], cell["nfe"]): cell for cell in report["cells"]}
assert len(report["cells"]) == 4 and set(cells) == {(s, n) for s in ("ddim", "deis-tab3") for n in (3, 5)}, list(cells)
for name, cell in cells.items():
    assert cell["samples"] == 64, (name, cell["samples"])
    assert cell["metrics"]["fd"] > 0, (name, cell["metrics"])
    assert all(math.isfinite(value) for value in cell["metrics"].values()), (name, cell["metrics"])
PY
check 'report.html is a page' grep -q '<html' "$dir/bench/report.html"
check 'fd_vs_nfe.svg is a plot' grep -q '<svg' "$dir/bench/fd_vs_nfe.svg"

check 'keep a copy of the report' cp "$dir/bench/report.json" "$dir/whole.json"
check 'take a cell out of the report' python3 - "$dir/bench/report.json" <<'PY'
import json, sys
report = json.load(open(sys.argv[1]))
report["cells"] = [c for c in report["cells"] if (c["solver"], c["nfe"]) != ("ddim", 5)]
assert len(report["cells"]) == 3
json.dump(report, open(sys.argv[1], "w"))
PY
check 'bench resumes' exits 0 "${bench[@]}" --resume
check 'it measured that cell alone, with the same result' python3 - "$dir/whole.json" "$dir/bench/report.json" <<'PY'
import json, sys
before, after = ({(c["solver"], c["nfe"]): c for c in json.load(open(f))["cells"]} for f in sys.argv[1:])
assert set(before) == set(after), list(after)
for name in before:
    assert before[name]["metrics"] == after[name]["metrics"], (name, before[name], after[name])
    # A clock never shows the same twice: equal seconds mean that the cell was kept.
    kept = before[name]["seconds"] == after[name]["seconds"]
    assert kept == (name != ("ddim", 5)), f"{name} was {'kept' if kept else 'measured again'}"
PY

# --- refusals

refuses() {
    exits 2 "$@" || return
    [[ ! -s $dir/stdout ]] || { printf 'stdout is not empty\n' && return 1; }
    grep -q '^error: ' "$dir/stderr" || { printf 'no line begins with "error: "\n' && cat "$dir/stderr" && return 1; }
}
check 'an unknown solver is refused' refuses plan --solver no-such-solver --steps 5
check 'the message names it' grep -q no-such-solver "$dir/stderr"
check 'no steps are refused' refuses plan --solver ddim --steps 0
check 'an unknown model is refused' refuses generate -m no-such-model --seeds 0 --solver ddim --steps 2 -o "$dir/none"
check 'nothing was written for it' test ! -e "$dir/none/grid.png"

finish
