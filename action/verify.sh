#!/bin/bash
# Builds the image again and verifies that it is the expected one. The inputs are in the variables that
# verify/action.yml names; TOOL is repro-build.
# shellcheck disable=SC2153
set -euo pipefail
# shellcheck source=action/github.sh
source "${BASH_SOURCE[0]%/*}/github.sh"

# lines TEXT: its lines without white space around them, the empty ones left out.
lines() {
    local line
    while IFS= read -r line; do
        line=${line#"${line%%[![:space:]]*}"}
        line=${line%"${line##*[![:space:]]}"}
        [[ -z $line ]] || printf '%s\n' "$line"
    done <<<"$1"
}

# build_args TEXT: one NAME=VALUE a line. A single line may hold several, with commas before the next NAME=.
build_args() {
    if [[ $1 == *$'\n'* ]]; then
        lines "$1"
    else
        lines "$(sed -E 's/,[[:space:]]*([A-Za-z_][A-Za-z0-9_]*=)/\n\1/g' <<<"$1")"
    fi
}

seconds=$(epoch "$EPOCH_SECONDS" "$TIMESTAMP")
[[ $RUNTIME == docker || $RUNTIME == podman ]] || fail "runtime: '$RUNTIME' is not docker or podman"
[[ $PLATFORM =~ ^[a-z0-9]+/[a-z0-9]+(/[a-z0-9.]+)?$ ]] ||
    fail "platforms: '$PLATFORM' is not one platform, such as linux/amd64"
[[ -n $CONTEXT ]] || fail 'context is empty'

if [[ -n $EXPECTED_DIGEST ]]; then
    [[ $EXPECTED_DIGEST =~ ^(sha256:)?[0-9A-Fa-f]{64}$ ]] || fail "expected_digest: '$EXPECTED_DIGEST' is no sha256 digest"
    expected=$EXPECTED_DIGEST
elif [[ -n $TARGET_IMAGE ]]; then
    check_image target_image "$TARGET_IMAGE"
    # With docker://, no file of that name in the workspace is taken for it.
    expected=$("$TOOL" digest --platform="$PLATFORM" -- "docker://${TARGET_IMAGE#docker://}") ||
        fail "the digest of $TARGET_IMAGE cannot be had"
else
    fail 'nothing to compare with; set expected_digest or target_image'
fi

# A directory of its own: another step of the job may use this action too.
scratch=$(mktemp -d "$RUNNER_TEMP/repro-build.XXXXXXXX")
image=${OUTPUT:-$scratch/image.tar}
report=$scratch/report.json

options=("--runtime=$RUNTIME" "--source-date-epoch=$seconds" "--platform=$PLATFORM" "--output=$image")
if [[ -n $BUILDKIT_IMAGE ]]; then
    check_image buildkit_image "$BUILDKIT_IMAGE"
    options+=("--buildkit-image=$BUILDKIT_IMAGE")
fi
if [[ -n $FILE ]]; then options+=("--file=$FILE"); fi
while IFS= read -r line; do options+=("--build-arg=$line"); done < <(build_args "$BUILD_ARGS")
while IFS= read -r line; do options+=("--annotation=$line"); done < <(lines "$ANNOTATIONS")
while IFS= read -r line; do options+=("--tag=$line"); done < <(lines "${TAGS//,/$'\n'}")

rm -f -- "$image"
# What the build prints is not to be read as workflow commands.
pause=$(random_word)
printf '::stop-commands::%s\n' "$pause"
code=0
"$TOOL" build "${options[@]}" -- "$CONTEXT" || code=$?
# 1 is what it ends with for an image that is there and wrong, too; the report says how.
if ((code <= 1)); then
    "$TOOL" verify --sde="$seconds" --newer-base --expect="$expected" --format=json -- "$image" >"$report" ||
        code=$((code ? code : $?))
fi
printf '::%s::\n' "$pause"

digest=''
if [[ -s $report ]]; then digest=$("$TOOL" digest -- "$image") || digest=''; fi
verified=false
if ((code == 0)); then verified=true; fi
emit digest "$digest"
emit verified "$verified"
emit report "$report"
{
    printf '### Reproduced image\n\n| | |\n|---|---|\n'
    printf '| expected | %s |\n' "\`$expected\`"
    printf '| built | %s |\n' "\`${digest:-none}\`"
    printf '| verified | %s |\n' "$verified"
} >>"$GITHUB_STEP_SUMMARY"
if ((code != 0)); then
    printf '::error::the image was not reproduced: expected %s, built %s\n' "$expected" "${digest:-none}"
fi
exit "$code"
