#!/usr/bin/env bash
# Builds, lints and tests for Windows on Linux: the toolchain `debian` gets a
# std for x86_64-pc-windows-gnu (compiled once), programs run under wine.
#
#     .ci/windows.sh setup         only that; does nothing the second time
#     .ci/windows.sh               setup, then everything that CI checks
#     .ci/windows.sh types         setup, then clippy, and types for windows-msvc
#                                  and macOS: not in CI, every dependency is
#                                  checked and std compiled twice for it
#     .ci/windows.sh run COMMAND   COMMAND with the settings, e.g.
#                                  .ci/windows.sh run cargo +debian test --lib
#
# What wine cannot show is in docs/windows.md.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${ZBUILD_CI_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/cargo-zbuild-ci}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
triple=x86_64-pc-windows-gnu

export WINEPREFIX=$dir/wine WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml=
export CARGO_BUILD_TARGET=$triple CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine
# Its own directory: rustc 1.96 and 1.95 would take turns in one.
export CARGO_TARGET_DIR=${ZBUILD_WINDOWS_TARGET_DIR:-target/windows}

# std, compiled by the compiler that is to use it: a foreign one is E0514.
# Into the sysroot, so that afterwards nothing needs -Zbuild-std.
make_std() {
    local toolchain=$1 to=$1/lib/rustlib/$triple/lib work
    [ ! -d "$to" ] || return 0
    work=$(mktemp -d)
    mkdir "$work/src"
    : >"$work/src/lib.rs"
    cat >"$work/Cargo.toml" <<'TOML'
cargo-features = ["profile-rustflags"]
[package]
name = "std-maker"
edition = "2021"
[profile.release.package.panic_abort]
rustflags = ["-Cpanic=abort"]
TOML
    (
        cd "$work"
        unset RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_BUILD_TARGET
        RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes CARGO_TARGET_DIR=$work/target \
            cargo +debian build --quiet --release --target $triple \
            -Zbuild-std=std,panic_unwind,panic_abort,test,proc_macro
    )
    mkdir -p "$to.new"
    cp "$work"/target/$triple/release/deps/lib*.rlib "$to.new"
    rm -r "$to.new"/libstd_maker-*.rlib "$work"
    mv "$to.new" "$to"
}

# Debian 12's wine 8 has no bcryptprimitives.dll, which Rust's std imports.
make_prefix() {
    local dll=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll source
    if [ ! -e "$WINEPREFIX/system.reg" ]; then
        wine wineboot --init >/dev/null 2>&1
        wineserver --wait
    fi
    [ ! -e "$dll" ] || return 0
    source=$(mktemp --suffix=.c)
    cat >"$source" <<'C'
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG); /* RtlGenRandom */
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T left) {
    while (left) {
        ULONG now = left > (1 << 20) ? (1 << 20) : (ULONG)left;
        if (!SystemFunction036(to, now)) return FALSE;
        to += now;
        left -= now;
    }
    return TRUE;
}
C
    x86_64-w64-mingw32-gcc -O2 -s -shared -o "$dll" "$source" -ladvapi32
    rm "$source"
}

setup() {
    .ci/toolchains.sh "$dir"
    if ! command -v wine x86_64-w64-mingw32-gcc >/dev/null; then
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            gcc-mingw-w64-x86-64-win32 wine64 wine >/dev/null
    fi
    make_std "$dir/debian/usr"
    make_prefix
}

# No linker for these: types alone. Their std is compiled on the way.
types() {
    unset CARGO_BUILD_TARGET
    RUSTC_BOOTSTRAP=1 cargo +debian check --locked --quiet -Zbuild-std --features blake3/pure \
        "${@/#/--target=}"
}

case ${1:-check} in
setup)
    setup
    ;;
types)
    setup
    cargo +debian clippy --locked --all-targets -- -D warnings
    types x86_64-pc-windows-msvc aarch64-apple-darwin
    ;;
run)
    shift
    exec "$@"
    ;;
check)
    setup
    RUSTFLAGS="-D warnings" cargo +debian test --locked --lib --test fake_cargo
    ;;
*)
    echo "$0: unknown: $1" >&2
    exit 2
    ;;
esac
