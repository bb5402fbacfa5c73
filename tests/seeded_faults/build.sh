#!/usr/bin/env bash
# Builds the bot with every seeded fault of this folder in it, each switched on by SEEDED_FAULT=<name>: the tests of the
# oracle run that binary and have to see each fault. The product's own sources hold none of them.
#
#   tests/seeded_faults/build.sh [cargo's options]    prints the path of the binary
#
# It copies the sources below the target folder, applies each NAME.patch to the copy, and builds it in a target folder of its
# own: cargo gives the crates of both workspaces one name, and each would overwrite those of the other. A patch that no
# longer applies is named; it follows the code that it changes.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/seeded_faults"
target=$(cd "$target" && pwd)
copy=$target/seeded_faults/sources

# One at a time: a test may build while another command does.
exec 9>"$target/seeded_faults/lock"
command -v flock >/dev/null && flock 9

# The sources of the copy. The tests and benches are empty there, but cargo looks for them.
sources=(Cargo.toml Cargo.lock src crates locales migrations)
made_of=$(find "${sources[@]}" tests/seeded_faults -type f -print0 | LC_ALL=C sort --zero-terminated |
    xargs --null sha256sum | sha256sum)

if [ "$(cat "$copy/made-of" 2>/dev/null)" != "$made_of" ]; then
    rm -rf "$copy"
    mkdir -p "$copy/tests/it" "$copy/benches"
    # With their times: cargo builds anew what the patches change.
    cp --recursive --preserve=timestamps "${sources[@]}" "$copy"
    echo '//! Empty.' | tee "$copy/tests/it/main.rs" >"$copy/benches/flows.rs"
    cp "$copy/benches/flows.rs" "$copy/benches/understanding.rs"
    cp tests/seeded_faults/seeded_fault.rs "$copy/src/"
    echo 'mod seeded_fault;' >>"$copy/src/lib.rs"
    # Another name, so that the two are told apart in a list of processes; and a workspace of its own.
    sed --in-place 's/^name = "depot-bot"$/name = "seeded-depot-bot"/; s/^default-run = .*//;
        s/^depot-bot = /seeded-depot-bot = /' "$copy"/Cargo.{toml,lock}
    grep --quiet '^\[workspace\]' "$copy/Cargo.toml" || printf '\n[workspace]\n' >>"$copy/Cargo.toml"
    for patch in tests/seeded_faults/*.patch; do
        patch --directory "$copy" --strip 1 --silent --no-backup-if-mismatch <"$patch" >&2 || {
            echo "$patch no longer applies: bring it up to date with the code that it changes" >&2
            exit 1
        }
    done
    echo "$made_of" >"$copy/made-of"
fi

build=$target/seeded_faults/build
cargo build --manifest-path "$copy/Cargo.toml" --target-dir "$build" --features failpoints --quiet \
    --bin seeded-depot-bot "$@" >&2
folder=debug
for option in "$@"; do [ "$option" = --release ] && folder=release; done
echo "$build/$folder/seeded-depot-bot"
