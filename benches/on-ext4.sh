#!/usr/bin/env bash
# `cargo bench --bench compare` on an ext4 of its own, as mkfs makes it: in a
# file of 48 GiB at most, removed afterwards. Needs root, for mounting.
#
#     benches/on-ext4.sh [OPTIONS OF compare]
#
# For a machine whose own file system says little about others. The virtual
# machine that the README's figures come from has an ext4 without a journal,
# which looks at every inode lately deleted before it makes a file.
set -euo pipefail
cd "$(dirname "$0")/.."

place=$(mktemp -d)
image=$place/image
mkdir "$place/mounted"
cleanup() {
    # A peer's daemon may outlive its part.
    umount "$place/mounted" 2>/dev/null || umount --lazy "$place/mounted" 2>/dev/null || true
    rm -rf "$place"
}
trap cleanup EXIT

# As on a larger disk: by default it is a tenth at most, and a full cache collects.
export ZBUILD_MAX_SIZE=20GiB
truncate -s 48G "$image"
# Nothing is left for a kernel thread to do while times are taken.
mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$image"
mount -o loop "$image" "$place/mounted"
cargo bench --bench compare -- --scratch "$place/mounted" "$@"
