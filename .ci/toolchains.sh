#!/usr/bin/env bash
# Gives rustup the two stable toolchains that Debian packages, `debian`
# (the newest, with the sources of std) and `debian-1.85` (the oldest cargo
# that is tested), unpacked below DIR and not installed: /usr/bin gets no
# second cargo. Does nothing the second time.
#
#     .ci/toolchains.sh [DIR]      needs root, Debian 12, rustup
set -euo pipefail
dir=${1:-${ZBUILD_CI_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/cargo-zbuild-ci}}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

# unpack NAME VERSION PACKAGE...
unpack() {
    local name=$1 version=$2 to=$dir/$1
    shift 2
    if [ "$(cat "$to/.version" 2>/dev/null)" != "$version" ]; then
        rm -rf "$to"
        mkdir -p "$to/debs/partial"
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --download-only \
            -o Dir::Cache::archives="$to/debs" -o APT::Sandbox::User=root \
            "${@/%/=$version}" >/dev/null
        local deb library
        for deb in "$to"/debs/*.deb; do dpkg -x "$deb" "$to"; done
        rm -rf "$to/debs" "$to/usr/share"
        # Of the compiler's sources only std is wanted.
        rm -rf "$to"/usr/src/*/{compiler,src,debian}
        # rustup lets programs of a toolchain look for libraries in lib/ alone.
        for library in "$to"/usr/lib/x86_64-linux-gnu/*.so* "$to"/lib/x86_64-linux-gnu/*.so*; do
            if [ -e "$library" ]; then ln -sf "$library" "$to/usr/lib/"; fi
        done
        echo "$version" >"$to/.version"
    fi
    rustup toolchain link "$name" "$to/usr"
    echo "$name: $(rustc "+$name" -V)"
}

if rustc +debian -V 2>/dev/null && rustc +debian-1.85 -V 2>/dev/null; then exit; fi

apt-get update -qq
versions=$(apt-cache madison rustc-web | awk '{print $3}')
newest=$(head -1 <<<"$versions")
oldest=$(grep -m1 '^1\.85\.' <<<"$versions" || true)

unpack debian "$newest" rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web
if [ -n "$oldest" ]; then
    unpack debian-1.85 "$oldest" rustc-web cargo-web libstd-rust-web-dev
fi
