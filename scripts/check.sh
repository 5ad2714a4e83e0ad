#!/usr/bin/env bash
# Every check, cheapest first; stops at the first that fails. Each step can be run by hand as it stands here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A snapshot that differs is a failure, never a new file.
export INSTA_UPDATE=no

step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n== %s\n' "$name"
    "$@" || {
        printf '== %s: FAILED after %d s\n' "$name" $((SECONDS - start))
        exit 1
    }
    printf '== %s: ok, %d s\n' "$name" $((SECONDS - start))
}

step 'format' cargo fmt --all --check

# Where libtorch should be there is nothing: this crate must neither link to it nor build anything that does.
step 'samplers without libtorch' env -u LIBTORCH_USE_PYTORCH LIBTORCH=/nonexistent \
    cargo test --locked -p fewstep-samplers

# All in the release profile: the C++ of torch-sys is then compiled once for these and for the program, in the first of these
# steps, where it runs beside everything else. The feature tch/doc-only would let the lints do without it, but needs a second
# build of what links to it.
step 'lints' cargo clippy --release --locked --workspace --all-targets -- -D warnings
step 'documentation' env RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --no-deps --workspace
# The samplers have had their tests above, with overflow checks and debug assertions.
step 'tests' cargo test --release --locked --workspace --exclude fewstep-samplers
# With the program that the tests have built and called.
step 'end to end' scripts/e2e.sh

printf '\nall checks passed in %d s\n' "$SECONDS"
