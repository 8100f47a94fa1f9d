#!/bin/bash
# Builds the static binary of TARGET into dist/.
set -euo pipefail

rustup toolchain install 1.95 --profile minimal --target "$TARGET"
sudo apt-get update -q
sudo apt-get install -qy --no-install-recommends musl-tools
# Paths of the machine must not end up in the binary.
export RUSTFLAGS="--remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
cargo +1.95 build --release --locked --target "$TARGET"
mkdir -p dist
cp "target/$TARGET/release/repro-build" "dist/repro-build-$TARGET"
