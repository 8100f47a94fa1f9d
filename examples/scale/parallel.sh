#!/bin/bash
# Verifies every image below a folder with several processes on one machine, and reports as one run would.
#   parallel.sh FOLDER SHARDS [merge's arguments]
# One process already uses all cores: this is for trying out what the other examples do on many machines, and for
# machines that are lent to several users (GNU parallel's --sshlogin runs the shards elsewhere, --joblog records them).
set -euo pipefail
export folder=$1 shards=$2
shift 2
reports=$(mktemp -d)
export reports
trap 'rm -rf "$reports"' EXIT

# A shard that finds something exits 1 or 2, which is no reason to stop the others: merge tells what the whole comes to,
# and refuses shards that did not come to their end.
# The shells that parallel starts read the names from the environment, whatever is in them.
# shellcheck disable=SC2016
seq "$shards" | parallel --will-cite --jobs 4 \
    'repro-build verify --threads 1 --shard {}/"$shards" --format ndjson "$folder" > "$reports"/{}.ndjson' || true
repro-build merge "$@" "$reports"/*.ndjson
