#!/bin/bash
# Measures the release build against the programs that are installed and writes the table of docs/performance.md:
# bash benches/compare.sh [FOLDER]. Inputs are made in FOLDER, by default a temporary one that is removed at the end;
# inputs that are there already are used again. RUNS is the number of rounds (default 5): each round runs every command
# of a group in turn, and what is reported is the median of the rounds' ratios. Takes five minutes on two cores where the
# inputs are there.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${RUNS:-5}
# shellcheck source=benches/shared.sh
. benches/shared.sh
results=$scratch/results
mkdir "$results"

have() { command -v "$1" >/dev/null; }

# Runs commands in turn, so many rounds; each is a name and a shell command. Its times go to a file of its name.
# Where the program is not installed there is no file.
group() {
    local round name command i
    local names=("$@")
    for ((round = 0; round <= runs; round++)); do
        for ((i = 0; i < ${#names[@]}; i += 2)); do
            name=${names[i]} command=${names[i + 1]}
            have "${command%% *}" || continue
            # A command that fails has no time.
            if ! { time bash -c "exec $command" >/dev/null 2>"$results/errors" </dev/null; } 2>"$results/time"; then
                echo "$name failed: $(head -c 300 "$results/errors")" >&2
                continue
            fi
            # The first round warms up.
            if ((round > 0)); then cat "$results/time" >>"$results/$name"; fi
        done
        printf '.' >&2
    done
    printf ' %s\n' "${names[0]}" >&2
}

# ratio MEASURE NAME NAME: the median of the rounds' ratios of wall or CPU time.
ratio() {
    [[ -f $results/$2 && -f $results/$3 ]] || return 0
    paste "$results/$2" "$results/$3" | awk -v measure="$1" '
        { a = measure == "wall" ? $1 : $2 + $3; b = measure == "wall" ? $4 : $5 + $6; if (b > 0) print a / b }' |
        median | awk '{ printf "%.2f", $1 }'
}

# seconds MEASURE NAME: the median.
seconds() {
    [[ -f $results/$2 ]] || { echo 0 && return; }
    awk -v measure="$1" '{ print measure == "wall" ? $1 : $2 + $3 }' "$results/$2" | median
}

# row WORK MEASURE OURS PEER GOAL
row() {
    local found
    found=$(ratio "$2" "$3" "$4")
    echo "| $1 | $2 | $(seconds "$2" "$3") s | $(seconds "$2" "$4") s | ${found:-not measured} | ≤ $5 |"
}

layer=one-gzip/0.gz
group verify "$ours verify one-gzip.tar" gzip "gzip -t $layer" igzip "igzip -t $layer" pigz "pigz -t $layer" \
    digests "$ours ls --digest --format raw one-gzip.tar" ls "$ours ls --format raw one-gzip.tar" \
    tar "tar tzf $layer" skopeo-ours "$ours verify one-gzip.tar" \
    skopeo "skopeo copy -q --insecure-policy oci-archive:one-gzip.tar dir:$scratch/out"
rm -rf "$scratch/out"
group mixed "$ours verify mixed.tar" mixed-gzip "gzip -t mixed/0.gz mixed/1.gz mixed/2.gz mixed/3.gz mixed/4.gz mixed/5.gz mixed/6.gz mixed/7.gz"
group zstd-ours "$ours verify one-zstd.tar" zstd "zstd -q -t one-zstd/0.zst"
group plain "$ours verify one-plain.tar" openssl "openssl dgst -sha256 one-plain.tar"
group blobs "$ours verify --only blob.* blobs.tar" openssl-blobs "openssl dgst -sha256 blobs.tar"
group many "$ours verify many" many-one "$ours -j1 verify many"
pigz -dc medium/0.gz medium/1.gz >medium.raw
group normalize "$ours normalize --sde 0 --level canonical -o normalized.tar medium.tar" pigz-6 "pigz -6 -p2 -c medium.raw" \
    compress "$root/target/release/examples/compress medium.raw"
rm -f medium.raw normalized.tar
group crowd "$ours verify --only document.* crowd.tar"
group start "$ours digest small.tar"
forget() { dd of=one-plain.tar oflag=nocache conv=notrunc,fdatasync count=0 status=none; }
export -f forget
group cold "bash -c 'forget; exec $ours verify --only blob.* one-plain.tar'" cat "bash -c 'forget; exec cat one-plain.tar'"

# Million entries per second, as criterion measures it.
index() {
    (cd "$root" && cargo bench --locked --bench measure -- index/entries 2>/dev/null) |
        awk '$1 == "thrpt:" { printf "%.1f", $4; exit }'
}

# Backquotes below are Markdown.
# shellcheck disable=SC2016
table() {
    echo "| work | measure | ours | peer | ratio | goal |"
    echo "|---|---|---|---|---|---|"
    row 'one gzip layer of 520 MB: `verify` against `gzip -t`' wall verify gzip 0.30
    row 'the same' cpu verify gzip 0.47
    row 'the same against `igzip -t`' wall verify igzip 1.25
    row 'the same against `pigz -t`' wall verify pigz 0.45
    row 'the same with a SHA-256 for every file (`ls --digest`), against `gzip -t`' wall digests gzip 0.33
    row 'the same: `ls` against `tar tzf`' wall ls tar 0.25
    row 'the same: `verify` against `skopeo copy oci-archive: dir:`' wall skopeo-ours skopeo 1.00
    row '8 gzip layers of mixed size: `verify` against `gzip -t`' wall mixed mixed-gzip 0.22
    row 'one zstd layer: `verify` against `zstd -t`' wall zstd-ours zstd 1.15
    row 'one plain layer of 1.45 GB: `verify` against `openssl dgst -sha256`' wall plain openssl 1.00
    row '5 blobs, 1 GB: `verify --only blob.*` against `openssl dgst -sha256`' wall blobs openssl-blobs 0.60
    row '64 archives of 20 to 50 MB: `verify` against `verify -j1`' wall many many-one 0.55
    row 'the content of two layers, 140 MB: compressed as `normalize` does, against `pigz -6 -p2`' wall compress pigz-6 0.55
    row 'the same: `normalize --sde 0 --level canonical` against `pigz -6 -p2`' wall normalize pigz-6 0.65
    row 'cold cache: `verify --only blob.*` against `cat`' wall cold cat 1.11
    echo
    echo "| figure | measured | goal |"
    echo "|---|---|---|"
    awk -v wall="$(seconds wall mixed)" -v cpu="$(seconds cpu mixed)" \
        'BEGIN { if (cpu > 0) printf "| 8 gzip layers: wall over own CPU time | %.2f | ≤ 0.55 |\n", wall / cpu }'
    echo "| \`digest\` of a 7 KB archive, the whole process, wall | $(seconds wall start) s | ≤ 0.005 s |"
    echo "| index of an archive of 100,000 entries, in memory (\`cargo bench\`) | $(index) million entries/s | ≥ 2 |"
    awk -v crowd="$(seconds wall crowd)" -v start="$(seconds wall start)" 'BEGIN {
        if (crowd > start)
            printf "| the same in a file of 100 MB: `verify --only document.*`, less start-up | %.1f million entries/s | |\n",
                0.1 / (crowd - start) }'
    echo "| peak memory, one gzip layer | $(rss one-gzip.tar) | ≤ 64 MiB |"
    echo "| peak memory, one plain layer | $(rss one-plain.tar) | ≤ 64 MiB |"
    echo "| peak memory, 8 gzip layers | $(rss mixed.tar) | ≤ 128 MiB |"
    echo "| peak memory, 64 archives | $(rss many) | |"
    echo
    echo "Measured on $(processor), Linux $(uname -r)," \
        "medians of $runs rounds; load average before the last group: $(cut -d' ' -f1 /proc/loadavg). Peers:" \
        "$(for peer in gzip igzip pigz zstd openssl skopeo tar; do
            if have $peer; then
                if [[ $peer == openssl ]]; then openssl version; else $peer --version 2>&1 | head -1; fi
            else
                echo "$peer not installed"
            fi
        done | paste -sd ';' | sed 's/;/; /g')."
}

table | publish docs/performance.md
