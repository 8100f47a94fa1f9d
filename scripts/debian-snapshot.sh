#!/bin/sh
# Makes apt inside a Debian image give the same packages every time, and takes away what is different every time.
#
#   debian-snapshot.sh sources    apt takes packages from snapshot.debian.org as of SOURCE_DATE_EPOCH or, where that is
#                                 not set, as of the day the base image's own sources were written
#   debian-snapshot.sh clean      removes caches, logs and backups, and dates in /etc/shadow after that day
#
# ROOT, for tests, is where the image's root directory is.
set -eu
ROOT=${ROOT:-}
sources=$ROOT/etc/apt/sources.list.d/debian.sources

# Read before the sources are written, since writing changes the time.
epoch=${SOURCE_DATE_EPOCH:-$(stat --format=%Y "$sources")}
case $epoch in
'' | *[!0-9]*)
    echo "SOURCE_DATE_EPOCH: '$epoch' is no number of seconds since 1970" >&2
    exit 1
    ;;
esac

pin_sources() {
    # shellcheck source=/dev/null
    . "$ROOT/etc/os-release"
    if [ "${ID:-}" != debian ] || [ -z "${VERSION_CODENAME:-}" ]; then
        echo 'this is no Debian release' >&2
        exit 1
    fi
    # The key ring's name differs between releases.
    keyring=$(sed -n 's/^Signed-By: *//p' "$sources" | head -n 1)
    snapshot=$(date -u --date="@$epoch" +%Y%m%dT%H%M%SZ)
    # Signatures make plain http safe, and the slim images have no certificates. What is on a snapshot is older than
    # its Release file says it may be.
    cat >"$sources" <<EOF
Types: deb
URIs: http://snapshot.debian.org/archive/debian/$snapshot
Suites: $VERSION_CODENAME $VERSION_CODENAME-updates
Components: main
Signed-By: ${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}
Check-Valid-Until: no

Types: deb
URIs: http://snapshot.debian.org/archive/debian-security/$snapshot
Suites: $VERSION_CODENAME-security
Components: main
Signed-By: ${keyring:-/usr/share/keyrings/debian-archive-keyring.gpg}
Check-Valid-Until: no
EOF
    # Without SOURCE_DATE_EPOCH the time of this file is what the next layer goes by.
    touch --date="@$epoch" "$sources"
}

clean() {
    # Caches that apt and ldconfig make again; the second holds inode numbers.
    rm -rf "$ROOT"/var/lib/apt/lists/* "$ROOT"/var/cache/apt/* "$ROOT"/var/cache/ldconfig/aux-cache
    # Logs with times in them; the directories stay, with their owners.
    if [ -d "$ROOT/var/log" ]; then find "$ROOT/var/log" -xdev -type f -delete; fi
    # Backups of what packages changed: made or not, depending on the order of installation.
    rm -f "$ROOT"/var/cache/debconf/*-old "$ROOT"/var/lib/dpkg/*-old
    for name in passwd group shadow gshadow subuid subgid; do rm -f "$ROOT/etc/$name-"; done
    if [ -s "$ROOT/etc/machine-id" ]; then : >"$ROOT/etc/machine-id"; fi
    rm -rf "$ROOT"/tmp/* "$ROOT"/var/tmp/*
    # A user that a package adds has today as the day of the last password change. Writing through the old file keeps
    # its owner and mode, and chage reads the result.
    if [ -f "$ROOT/etc/shadow" ]; then
        entries=$(awk -F: -v OFS=: -v day=$((epoch / 86400)) '$3 != "" && $3 + 0 > day { $3 = day } 1' "$ROOT/etc/shadow")
        printf '%s\n' "$entries" >"$ROOT/etc/shadow"
    fi
}

case ${1:-} in
sources) pin_sources ;;
clean) clean ;;
*)
    echo "usage: ${0##*/} sources|clean" >&2
    exit 2
    ;;
esac
