#!/usr/bin/env bash
# Puts Fashion-MNIST into data/fashion-mnist/: from the installed Debian package `dataset-fashion-mnist`, else from the
# downloaded one, unpacked without root. Safe to run again at any time, and after being interrupted at any point.
# shellcheck disable=SC2016 # backticks are part of the messages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly target=data/fashion-mnist
readonly part=data/.fashion-mnist
readonly package=dataset-fashion-mnist
readonly installed=/usr/share/datasets/fashion-mnist
# Those of the authors' own files, which the package holds unchanged.
readonly sums='b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7  train-images-idx3-ubyte.gz
0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056  train-labels-idx1-ubyte.gz
cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa  t10k-images-idx3-ubyte.gz
8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05  t10k-labels-idx1-ubyte.gz'

say() { printf 'data: %s\n' "$1" >&2; }

die() {
    printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
    exit "${3:-2}"
}

intact() { [[ -d $1 ]] && (cd "$1" && sha256sum --check --status <<<"$sums") 2>/dev/null; }

download() {
    # With the sandbox user, apt warns that it cannot write into a folder of ours.
    (cd "$part" && apt-get -qq -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$package")
}

trap 'die "interrupted" "run the same command again" 130' INT

if intact "$target"; then exit; fi
# The folder is this script's own: whatever is in it stems from an interrupted run.
rm -rf "$part"
mkdir -p "$part"

if [[ -d $installed ]]; then
    say "copying $installed"
    source=$installed
else
    for tool in apt-get dpkg-deb; do
        command -v "$tool" >/dev/null ||
            die "\`$tool\` is not on this machine, so the Debian package \`$package\` cannot be fetched" \
                "get the four original Fashion-MNIST files (*-ubyte.gz) elsewhere and put them into $target/"
    done
    say "fetching the Debian package \`$package\` (31 MB)"
    if ! download; then
        # No package lists yet, as on a fresh image, or lists so old that the file is gone.
        ((EUID == 0)) ||
            die "apt could not fetch \`$package\`" 'run `apt-get update` as root, then `make data` again'
        say 'the package lists are missing or old: running `apt-get update`'
        apt-get -qq update >&2
        download || die "apt could not fetch \`$package\`" 'the reason stands above'
    fi
    dpkg-deb --extract "$part/$package"_*.deb "$part/unpacked"
    source=$part/unpacked$installed
fi

mkdir "$part/files"
while read -r _ name; do
    cp -L "$source/$name" "$part/files/"
done <<<"$sums"
intact "$part/files" || die "the files in \`$source\` are not the original Fashion-MNIST" \
    "compare them with the SHA-256 sums in scripts/data.sh"
mkdir -p "$target"
mv "$part/files"/* "$target"/
rm -rf "$part"
say "Fashion-MNIST is in $target/"
