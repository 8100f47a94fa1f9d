#!/bin/bash
# Makes a Debian package of the program, its manual pages and completions in target/debian (needs cargo-deb).
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked
program=target/release/repro-build files=target/debian-files
mkdir -p "$files"
"$program" man "$files/man"
"$program" completions bash >"$files/repro-build.bash"
"$program" completions zsh >"$files/_repro-build"
"$program" completions fish >"$files/repro-build.fish"
cargo deb --no-build "$@"
