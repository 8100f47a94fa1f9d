#!/bin/bash
# Measures what docs/scaling.md says, with the release build, and writes its table: bash benches/scaling.sh [FOLDER].
# Inputs are those of compare.sh; without FOLDER they are made in a temporary one. RUNS is the number of rounds (default
# 3), of which the median is taken. Takes three minutes on two cores where the inputs are there.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${RUNS:-3}
# shellcheck source=benches/shared.sh
. benches/shared.sh

# measure NAME ARGUMENTS…: wall and CPU seconds of a verification go to files of that name.
measure() {
    local name=$1 round
    shift
    for ((round = 0; round <= runs; round++)); do
        { time "$ours" verify -q "$@" >/dev/null; } 2>"$scratch/time"
        # The first round warms up.
        if ((round > 0)); then cat "$scratch/time" >>"$scratch/$name"; fi
    done
    printf '%s ' "$name" >&2
}
wall() { awk '{ print $1 }' "$scratch/$1" | median; }
cpu() { awk '{ print $2 + $3 }' "$scratch/$1" | median; }
megabytes() { cat "$@" | wc -c | awk '{ printf "%.0f", $1 / 1e6 }'; }
calculate() { awk "BEGIN { printf \"$1\", $2 }"; }

cores=$(nproc)
distinct=(mixed.tar one-gzip.tar)
threads=()
for ((j = 1; j < cores; j *= 2)); do threads+=("$j"); done
threads+=("$cores")
for j in "${threads[@]}"; do measure "cores-$j" -j "$j" "${distinct[@]}"; done
measure hashing -j 1 --only 'blob.*' "${distinct[@]}"
counts=(1 4 16 64)
for count in "${counts[@]}"; do
    mapfile -t files < <(printf '%s\n' many/*.tar | head -n "$count")
    measure "shared-$count" "${files[@]}"
done
mkdir "$scratch/thousand"
for ((i = 0; i < 1000; i++)); do cp small.tar "$scratch/thousand/$i.tar"; done
measure small -j 1 "$scratch"/thousand/*.tar

decode=$(calculate %.0f "$(megabytes "${distinct[@]}") / $(cpu cores-1)")
hash=$(calculate %.0f "$(megabytes "${distinct[@]}") / $(cpu hashing)")
each=$(calculate %.2f "$(cpu small)")

# image_hours SHARED: core hours for a million images of 60 MB of which that part of the bytes was seen before.
image_hours() { calculate %.0f "(6e7 * (1 - $1) / $decode + 6e7 * $1 / $hash + 1e6 * $each / 1000) / 3600"; }

# Backquotes below are Markdown.
# shellcheck disable=SC2016
table() {
    local j count files
    echo '| `verify`, every digest, diff_id and member | stored | wall | CPU time | stored per second |'
    echo '|---|--:|--:|--:|--:|'
    for j in "${threads[@]}"; do
        echo "| 2 archives, 9 different gzip layers, \`-j $j\` | $(megabytes "${distinct[@]}") MB | $(wall "cores-$j") s |" \
            "$(cpu "cores-$j") s | $(calculate %.0f "$(megabytes "${distinct[@]}") / $(wall "cores-$j")") MB |"
    done
    for count in "${counts[@]}"; do
        mapfile -t files < <(printf '%s\n' many/*.tar | head -n "$count")
        echo "| $count of 64 archives that share layers, all cores | $(megabytes "${files[@]}") MB | $(wall "shared-$count") s |" \
            "$(cpu "shared-$count") s | $(calculate %.0f "$(megabytes "${files[@]}") / $(wall "shared-$count")") MB |"
    done
    echo "| 1000 archives of 7 kB, \`-j 1\` | $(megabytes "$scratch"/thousand/*.tar) MB | $(wall small) s | $(cpu small) s | |"
    echo
    echo '| figure | measured |'
    echo '|---|--:|'
    echo "| bytes that were not seen before, decoded and hashed by one core | $decode MB/s stored |"
    echo "| bytes of a layer that was, hashed by one core | $hash MB/s stored |"
    echo "| an archive, whatever is in it | $each ms |"
    echo "| peak memory: one archive, 64 archives | $(rss one-gzip.tar), $(rss many) |"
    echo
    echo '| a million images of 60 MB | core hours | hours on 16 cores |'
    echo '|---|--:|--:|'
    for part in 0 0.5 0.8; do
        echo "| $(calculate %.0f "$part * 100") % of the bytes in layers seen before | $(image_hours "$part") |" \
            "$(calculate %.1f "$(image_hours "$part") / 16") |"
    done
    echo
    echo "Measured on $(processor), warm cache, medians of" \
        "$runs rounds; load average at the end: $(cut -d' ' -f1 /proc/loadavg)."
}

table | publish docs/scaling.md
