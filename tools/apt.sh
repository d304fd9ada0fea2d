#!/usr/bin/env bash
# Install Debian or Ubuntu packages where that needs no questions: as root, or with passwordless sudo.
# Exit codes: 0 installed, 3 not a machine for this (another system, or no rights), else apt-get's own.
set -euo pipefail

command -v apt-get >/dev/null 2>&1 || exit 3
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || exit 3
    as_root=(sudo -n)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Bounded waits: a mirror that cannot be reached costs seconds, another apt-get at work two minutes.
options=(-o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o DPkg::Lock::Timeout=120)

apt() {
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
        apt-get "${options[@]}" "$@" </dev/null >>"$log" 2>&1
}

# A list of packages that is missing or old names files that the mirror no longer has.
apt update || true
if apt install --yes --no-install-recommends "$@"; then
    exit 0
else
    code=$?
    echo "apt-get could not install $*. The end of its log:" >&2
    tail -n 8 "$log" | sed 's/^/    /' >&2
    exit "$code"
fi
