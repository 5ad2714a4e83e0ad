#!/usr/bin/env bash
# Makes a machine ready to build: looks for the tools, then puts the pinned libtorch into .libtorch/, where
# .cargo/config.toml points LIBTORCH. A LIBTORCH or LIBTORCH_USE_PYTORCH in the environment is checked and left alone.
# Safe to run again at any time, and after being interrupted at any point.
# shellcheck disable=SC2016 # backticks are part of the messages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly root=.libtorch
readonly requirements=scripts/libtorch-requirements.txt
readonly torch_version=2.13.0

# What is taken out of the wheels (shell patterns; `*` crosses folders): headers, the libraries of the CPU part with
# those they are linked to, licences. The rest is CUDA, which needs a full PyTorch anyway, and Python.
# torch/ and nvidia/ stay side by side because libtorch looks for the latter at ../../nvidia.
readonly keep=(
    'torch/include/*'
    'torch/lib/libtorch_cpu.so' 'torch/lib/libc10.so' 'torch/lib/libgomp.so.1'
    'torch/version.py'
    'nvidia/cu13/lib/libcudart.so.13' 'nvidia/cu13/lib/libcupti.so.13'
    '*.dist-info/licenses/*'
)

say() { printf 'setup: %s\n' "$1" >&2; }

die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit "${3:-2}"
}

check_tools() {
    local missing=0
    need() {
        # The first word: CC and CXX may carry a wrapper or options.
        local tool=${1%% *}
        if command -v "$tool" >/dev/null; then return; fi
        printf 'error: `%s` is not on this machine\nhint: %s\n' "$tool" "$2" >&2
        missing=1
    }
    need rustc 'install Rust 1.95 or newer, for example with rustup'
    need cargo 'it comes with Rust; install Rust 1.95 or newer, for example with rustup'
    need "${CC:-cc}" 'install gcc (Debian: `apt-get install gcc`)'
    need "${CXX:-c++}" 'a C++ compiler builds the bridge to libtorch: install g++ (Debian: `apt-get install g++`)'
    need make 'install GNU make (Debian: `apt-get install make`)'
    need python3 'it unpacks libtorch and checks the end-to-end run: install Python 3.8 or newer (Debian: `apt-get install python3 python3-pip`)'
    ((missing == 0)) || exit 2
}

# torch-sys 0.26 accepts one version only, but looks at it only where a `build-version` file says it.
check_version() {
    [[ -z ${LIBTORCH_BYPASS_VERSION_CHECK+set} ]] || return 0
    [[ ${1%%+*} == "$torch_version" ]] ||
        die "$2 is version $1, and this build needs $torch_version" \
            "point it at $torch_version, or unset it and \`make\` fetches the right one"
}

check_own_python() {
    # The interpreter that torch-sys will ask.
    local python=python3 ask='import torch; print(torch.__version__)' version
    if [[ -n ${VIRTUAL_ENV:-} ]]; then python=python; fi
    version=$("$python" -c "$ask" 2>/dev/null) ||
        die "LIBTORCH_USE_PYTORCH is set, but \`$python\` cannot import torch: $("$python" -c "$ask" 2>&1 | tail -n 1)" \
            "\`$python -m pip install torch==$torch_version\`, or unset LIBTORCH_USE_PYTORCH and \`make\` fetches libtorch"
    check_version "$version" "the PyTorch of \`$python\`"
    say "using the PyTorch $version of \`$python\` (LIBTORCH_USE_PYTORCH)"
}

check_own_libtorch() {
    local lib=${LIBTORCH_LIB:-$LIBTORCH}/lib version=
    [[ $LIBTORCH == /* ]] ||
        die "LIBTORCH is \`$LIBTORCH\`, which is not an absolute path" 'the build looks at it from another folder: give it from the root on'
    [[ -e $lib/libtorch_cpu.so || -e $lib/libtorch_cpu.dylib ]] ||
        die "LIBTORCH is \`$LIBTORCH\`, but there is no \`$lib/libtorch_cpu.so\`" \
            'point it at the folder that holds lib/ and include/, or unset it and `make` fetches libtorch'
    if [[ -r $LIBTORCH/build-version ]]; then
        version=$(<"$LIBTORCH/build-version")
    elif [[ -r $LIBTORCH/version.py ]]; then
        version=$(sed -n "s/^__version__ = '\(.*\)'.*/\1/p" "$LIBTORCH/version.py")
    fi
    if [[ -n $version ]]; then check_version "$version" "the libtorch in \`$LIBTORCH\`"; fi
    say "using the libtorch in \`$LIBTORCH\` (LIBTORCH)"
}

check_platform() {
    local hint="install libtorch $torch_version yourself and set LIBTORCH to its folder, or set LIBTORCH_USE_PYTORCH=1 to use an installed PyTorch $torch_version"
    local system glibc
    system="$(uname -s) $(uname -m)"
    [[ $system == 'Linux x86_64' ]] || die "there is no pinned libtorch for $system" "$hint"
    glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null) || glibc='an unknown C library'
    if [[ ! $glibc =~ ^glibc\ 2\.([0-9]+) ]] || ((BASH_REMATCH[1] < 28)); then
        die "the pinned libtorch needs glibc 2.28 or newer, and this machine has $glibc" "$hint"
    fi
}

# Takes the kept files out of the downloaded wheels; the zip format's own checksums are verified on the way.
unpack() {
    python3 - "$requirements" "$root/wheels" "$1" "${keep[@]}" <<'PY'
import fnmatch, glob, re, sys, zipfile

requirements, wheels, target, *keep = sys.argv[1:]
used = set()
try:
    for name, version in re.findall(r"^([\w-]+)==([\w.]+)", open(requirements).read(), re.M):
        [wheel] = glob.glob(f"{wheels}/{name.replace('-', '_')}-{version}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.namelist():
                matches = [pattern for pattern in keep if fnmatch.fnmatchcase(member, pattern)]
                if matches:
                    archive.extract(member, target)
                    used.update(matches)
except (OSError, ValueError, zipfile.BadZipFile) as error:
    sys.exit(f"error: the wheels could not be unpacked: {error}")
if unused := [pattern for pattern in keep if pattern not in used]:
    sys.exit(f"error: the wheels hold nothing like {', '.join(unused)}")
PY
}

fetch_libtorch() {
    local want new=$root/new
    # The stamp is written last and holds all that decides what is in the folder.
    want=$(cat "$requirements" && printf '%s\n' 'keeps:' "${keep[@]}" 'libtorch.so -> libtorch_cpu.so')
    is_ready() {
        [[ -r $root/stamp && $(<"$root/stamp") == "$want" && -e $root/torch/lib/libtorch_cpu.so ]]
    }
    if is_ready; then return; fi
    check_platform
    python3 -m pip --version >/dev/null 2>&1 ||
        die 'python3 has no pip, which fetches libtorch' 'install it (Debian: `apt-get install python3-pip`), or set LIBTORCH to an installed libtorch'

    mkdir -p "$root"
    # One at a time: a second `make`, or the pip of a killed one that is still at work, would write the same files.
    if command -v flock >/dev/null; then
        exec 9>"$root/lock"
        if ! flock --nonblock 9; then
            say 'another set-up is at work here, waiting for it'
            flock 9
        fi
        if is_ready; then return; fi
    fi

    # pip saves the wheels at its end and checks again those it finds there, whole or not. Its own half-done files go
    # where the next run finds and removes them: they are large, and /tmp may be memory.
    # A platform tag must be named for each wheel as it stands in its file name.
    rm -rf "$root/tmp" "$new"
    mkdir "$root/tmp"
    say "fetching libtorch $torch_version (540 MB, once)"
    TMPDIR=$PWD/$root/tmp python3 -m pip download --no-deps --only-binary=:all: --disable-pip-version-check \
        --require-hashes --requirement "$requirements" --dest "$root/wheels" \
        --python-version 3.11 --implementation cp --abi cp311 \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 >&2 ||
        die 'libtorch could not be fetched; the reason stands above' \
            'run the same command again, or set LIBTORCH to an installed libtorch'

    say 'unpacking it'
    unpack "$new" || die 'libtorch could not be unpacked' 'it takes 2 GB of disk on the way and 0.5 GB afterwards; run the same command again'
    # The wheel's libtorch.so is an empty library that asks for the CPU part and the CUDA part. Some linkers drop it,
    # others (GNU ld) keep it; a program that keeps it would not start without CUDA. Here it is the CPU part.
    ln -s libtorch_cpu.so "$new/torch/lib/libtorch.so"
    rm -rf "$root/stamp" "$root/torch" "$root/nvidia" "$root"/*.dist-info
    mv "$new"/* "$root"/
    printf '%s\n' "$want" >"$new/stamp"
    mv "$new/stamp" "$root/stamp"
    rm -rf "$new" "$root/tmp" "$root/wheels"
    say "libtorch $torch_version is in $root/"
}

trap 'die "interrupted" "run the same command again" 130' INT
check_tools
if [[ -n ${LIBTORCH_USE_PYTORCH+set} ]]; then
    check_own_python
elif [[ -n ${LIBTORCH+set} ]]; then
    check_own_libtorch
else
    fetch_libtorch
fi
