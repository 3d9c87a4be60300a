#!/usr/bin/env bash
# Every small workspace from beginning to end with every cargo that is there:
# the oldest that is supported, the present one, the next one, nightly.
#
#     .ci/versions.sh              installs what is missing, runs everything
#     .ci/versions.sh small        what CI runs: tests/versions.rs
set -euo pipefail
cd "$(dirname "$0")/.."

.ci/toolchains.sh
cargo test --locked --test versions
[ "${1:-all}" = all ] || exit 0

for toolchain in debian-1.85 stable debian nightly; do
    if ! rustc "+$toolchain" -V 2>/dev/null; then
        echo "skipped: there is no toolchain $toolchain"
        continue
    fi
    # 1.85 knows the old layout alone.
    case $toolchain in
    debian-1.85) filter=spread ;;
    *) filter= ;;
    esac
    ZBUILD_TEST_TOOLCHAIN=$toolchain cargo test --locked --test cases -- $filter
done
