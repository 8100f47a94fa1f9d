#!/bin/bash
# What compare.sh and scaling.sh share; to be sourced from the checkout's root, with the FOLDER of inputs if there is one.
# Builds the program ("$ours") and, where there are none, the inputs; leads into their folder; "$scratch" goes at the end.
export LC_ALL=C
# Read by `time`.
# shellcheck disable=SC2034
TIMEFORMAT='%R %U %S'

root=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
inputs=${1:-$scratch/inputs}
cargo build --release --locked --bin repro-build --example inputs --example compress
ours=$root/target/release/repro-build
if [[ ! -f $inputs/crowd.tar ]]; then
    echo "making inputs in $inputs" >&2
    target/release/examples/inputs "$inputs"
fi
cd "$inputs" || exit

median() { sort -g | awk '{ value[NR] = $1 } END { if (NR) print value[int((NR + 1) / 2)] }'; }

# Peak memory of a verification.
rss() {
    [[ -x /usr/bin/time ]] || return 0
    /usr/bin/time -o "$scratch/rss" -f %M "$ours" verify -q "$@" >/dev/null
    awk '{ printf "%.0f MiB", $1 / 1024 }' "$scratch/rss"
}

processor() { echo "$(nproc) cores ($(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1))"; }

# publish PAGE: puts standard input between the marks of a page, and shows it.
publish() {
    cat >"$scratch/table"
    awk -v table="$scratch/table" '
        /^<!-- table/ { print; while ((getline line < table) > 0) print line; skip = 1; next }
        /^<!-- end/ { skip = 0 }
        !skip' "$root/$1" >"$scratch/page"
    cp "$scratch/page" "$root/$1"
    cat "$scratch/table"
}
