#!/bin/bash
# Installs repro-build outside the workspace: the release's binary where this action runs at the release's tag, its
# checksum compared and, with GitHub's own tool, its provenance verified; else built from this action's checkout.
set -euo pipefail
# shellcheck source=action/github.sh
source "${BASH_SOURCE[0]%/*}/github.sh"

checkout=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
prefix=$RUNNER_TEMP/repro-build
version=$(sed -n 's/^version = "\([0-9A-Za-z.+-]*\)"$/\1/p' "$checkout/Cargo.toml" | head -n 1)
tool=$prefix/bin/repro-build
mkdir -p "$prefix/bin"

# download NAME: an asset of the release; fails quietly where there is none.
download() {
    curl --fail --silent --show-error --location --proto '=https' --tlsv1.2 --retry 3 --output "$prefix/$1" \
        "https://github.com/$ACTION_REPOSITORY/releases/download/v$version/$1"
}

# from_release: whether a verified binary of the release is in place. A binary that does not verify ends the step.
from_release() {
    local target asset
    case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
    *) return 1 ;;
    esac
    [[ $ACTION_REF == "v$version" && $ACTION_REPOSITORY =~ ^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$ ]] || return 1
    asset=repro-build-$target
    if ! download "$asset" || ! download SHA256SUMS; then return 1; fi
    (cd "$prefix" && grep -E "^[0-9a-f]{64} [ *]$asset\$" SHA256SUMS | sha256sum --check --strict --status -) ||
        fail "the checksum of $asset is not the release's"
    if command -v gh >/dev/null; then
        gh attestation verify "$prefix/$asset" --repo "$ACTION_REPOSITORY" >/dev/null ||
            fail "the provenance of $asset cannot be verified"
    fi
    install -m 755 "$prefix/$asset" "$tool"
}

if from_release; then
    printf 'repro-build %s from its release\n' "$version"
else
    command -v cargo >/dev/null ||
        fail 'there is no release binary for this runner, and no cargo to build one; install Rust in a step before'
    cargo install --quiet --locked --path "$checkout" --root "$prefix"
fi
emit tool "$tool"
