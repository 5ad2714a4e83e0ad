#!/usr/bin/env bash
# Fuzzes one target for some seconds: fuzz/run.sh npz 600. The stable compiler will do; no sanitiser but debug assertions and
# overflow checks, as the readers have no unsafe code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
target=$1 seconds=${2:-60}
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
 -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0
 -Cdebug-assertions -Coverflow-checks -Clink-arg=-Wl,--unresolved-symbols=ignore-all"
RUSTFLAGS=${RUSTFLAGS//$'\n'/}
host=$(rustc -vV | sed -n 's/^host: //p')
# Functions of libtorch are never called here and may be missing. A target triple of its own keeps build scripts free of the instrumentation.
cargo build --release --target "$host" --bin "$target"
mkdir -p "corpus/$target" "artifacts/$target"
folder=${CARGO_TARGET_DIR:-target}/$host/release
exec "$folder/$target" "corpus/$target" "seeds/$target" \
    -max_total_time="$seconds" -artifact_prefix="artifacts/$target/" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1
