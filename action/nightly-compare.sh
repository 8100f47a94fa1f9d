#!/bin/bash
# Compares the digests that the builds noted in files DOCKERFILE.MACHINE.BUILDKIT.RUNTIME: both runtimes must agree. The
# latest BuildKit may have changed what it writes, which is worth a warning.
set -euo pipefail
# shellcheck source=action/github.sh
source "${BASH_SOURCE[0]%/*}/github.sh"

cd "$RUNNER_TEMP/digests"
code=0 compared=0
for docker in *.docker; do
    podman=${docker%.docker}.podman
    [[ -s $docker && -s $podman ]] || fail "no two digests for ${docker%.docker}"
    compared=$((compared + 1))
    if ! cmp -s "$docker" "$podman"; then
        printf '::error::%s: docker and podman built different images\n' "$(escape "${docker%.docker}")"
        code=1
    fi
done
for latest in *.latest.docker; do
    pinned=${latest%.latest.docker}.pinned.docker
    cmp -s "$latest" "$pinned" || warn "${latest%.latest.docker}: the latest BuildKit builds another image"
done
printf '%d images compared\n' "$compared"
exit "$code"
