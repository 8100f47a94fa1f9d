#!/bin/bash
# Builds DOCKERFILE twice with RUNTIME and the BuildKit that BUILDKIT names, and notes the digest for the comparison
# over runtimes. TOOL is repro-build.
set -euo pipefail

# The day of the base images that the Dockerfiles name.
readonly day=2026-01-12

options=()
if [[ $BUILDKIT == latest ]]; then options+=(--buildkit-image=docker.io/moby/buildkit:latest); fi
mkdir -p "$RUNNER_TEMP/digests"
"$TOOL" build --runtime="$RUNTIME" --datetime="$day" --no-cache --check-reproducible "${options[@]}" \
    --file="$DOCKERFILE" --output="$RUNNER_TEMP/image.tar" -- .
"$TOOL" digest -- "$RUNNER_TEMP/image.tar" | tee "$RUNNER_TEMP/digests/$DOCKERFILE.$MACHINE.$BUILDKIT.$RUNTIME"
