#!/bin/bash
# Checks the inputs of the build action, and works out what docker/build-push-action is to be told. The inputs are in
# the variables that action.yml names.
# shellcheck disable=SC2153
set -euo pipefail
# shellcheck source=action/github.sh
source "${BASH_SOURCE[0]%/*}/github.sh"

for name in PUSH CACHE NO_CACHE PULL SBOM NO_SETUP_BUILDX; do
    input=${name,,}
    check_switch "${input//_/-}" "${!name}"
done

seconds=$(epoch "$EPOCH_SECONDS" "$TIMESTAMP")

if [[ -z $BUILDKIT_IMAGE && $NO_SETUP_BUILDX == false ]]; then
    fail 'buildkit_image is empty; name an image, or leave the input out for the pinned one'
fi
if [[ -n $BUILDKIT_IMAGE ]]; then
    check_image buildkit_image "$BUILDKIT_IMAGE"
    [[ $BUILDKIT_IMAGE == *@sha256:* ]] ||
        warn "the BuildKit image $BUILDKIT_IMAGE has no digest, so this build is not pinned"
fi

while IFS= read -r line; do
    # The line is read as CSV, in which the name may stand in quotes.
    [[ ! $line =~ ^[[:space:]\"]*SOURCE_DATE_EPOCH([[:space:]]*=|[[:space:]]*$) ]] ||
        fail 'build-args: SOURCE_DATE_EPOCH is set by source_date_epoch or timestamp'
done <<<"$BUILD_ARGS"

# names LINE: LINE without quotes and without what is a comma inside of them, so that behind a comma stands a key.
names() {
    local text=$1 quoted=false i char
    for ((i = 0; i < ${#text}; i++)); do
        char=${text:i:1}
        case $char$quoted in
        '"false') quoted=true ;;
        '"true') quoted=false ;;
        ,true) ;;
        *) printf '%s' "$char" ;;
        esac
    done
}

# reproducible LINE: one line of outputs with rewrite-timestamp=true; exporters that write no image stay as they are.
reproducible() {
    local line=$1 names type='' asked=''
    names=$(names "$line")
    [[ $names =~ (^|,)[[:space:]]*type=([a-z]+) ]] || fail "outputs: '$line' has no type=; such as type=oci,dest=image.tar"
    type=${BASH_REMATCH[2]}
    if [[ ${names,,} =~ (^|,)[[:space:]]*rewrite-timestamp=([^,]*) ]]; then
        asked=${BASH_REMATCH[2]}
        [[ $asked == true ]] || fail "outputs: '$line' switches rewrite-timestamp off, so that it is not reproducible"
    fi
    case $type in
    docker | image | oci | registry) ;;
    *) asked=none ;;
    esac
    if [[ $PUSH == true && $type == image && ! $names =~ (^|,)[[:space:]]*push= ]]; then line+=,push=true; fi
    if [[ -z $asked ]]; then line+=,rewrite-timestamp=true; fi
    printf '%s' "$line"
}

outputs='' pushes=false
while IFS= read -r line; do
    line=${line#"${line%%[![:space:]]*}"}
    line=${line%"${line##*[![:space:]]}"}
    [[ -n $line ]] || continue
    line=$(reproducible "$line")
    [[ ! $(names "$line") =~ (^|,)[[:space:]]*type=(image|registry) ]] || pushes=true
    outputs+=${outputs:+$'\n'}$line
done <<<"$OUTPUTS"

if [[ $PUSH == true && $pushes == false ]]; then
    # Left to --push, buildx would add an exporter of its own, without rewrite-timestamp.
    outputs+=${outputs:+$'\n'}type=registry,rewrite-timestamp=true
elif [[ -z $outputs ]]; then
    [[ $PLATFORMS != *[,$'\n']* ]] ||
        fail 'several platforms cannot be loaded into docker; set push, or outputs to type=oci,dest=image.tar'
    outputs=type=docker,rewrite-timestamp=true
fi

emit epoch "$seconds"
emit buildkit_image "$BUILDKIT_IMAGE"
emit outputs "$outputs"
