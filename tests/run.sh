#!/usr/bin/env bash
# The one test command: everything that must hold before a change is merged, with real Redis, SQLite and PostgreSQL.
#
#   tests/run.sh               all of it; about half an hour on two cores the first time, a few minutes afterwards
#   tests/run.sh deposits::    only the tests whose name contains that; the other checks are left out
#
# The servers are private: each test starts its own and ends it. Nothing that runs on this machine is touched.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# The crash tests kill the bot at named points, which exist in this build only.
features=(--features failpoints)
filter=("$@")
# A snapshot that differs is a failure, not a file to be looked at later.
export INSTA_UPDATE=no
failed=()
timings=()

step() {
    local name=$1 began=$SECONDS
    shift
    printf '\n\033[1m== %s\033[0m\n' "$name"
    if "$@"; then
        timings+=("$(printf '%4d s  ok      %s' $((SECONDS - began)) "$name")")
    else
        timings+=("$(printf '%4d s  FAILED  %s' $((SECONDS - began)) "$name")")
        failed+=("$name")
    fi
}

# Debian keeps the programs of PostgreSQL off the path.
find_servers() {
    local folder
    for folder in /usr/lib/postgresql/*/bin /usr/libexec/postgresql*; do
        [ -x "$folder/initdb" ] && PATH=$PATH:$folder
    done
    export PATH
    missing=()
    command -v redis-server >/dev/null || missing+=(redis-server)
    { command -v initdb && command -v postgres; } >/dev/null || missing+=(postgresql)
    [ ${#missing[@]} -eq 0 ]
}

install_servers() {
    find_servers && return
    echo "installing: ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
    if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }; then
        "${as_root[@]}" apt-get update --quiet=2 &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
    fi
    find_servers && return
    echo "tests/run.sh needs the programs of: ${missing[*]}" >&2
    echo "Install them with your system's packages (Debian, Ubuntu: apt-get install redis-server postgresql;" >&2
    echo "Fedora: dnf install redis postgresql-server; macOS: brew install redis postgresql), or run everything in a" >&2
    echo "container: docker build --file Dockerfile.tests --tag depot-bot-tests . && docker run --rm depot-bot-tests" >&2
    return 1
}

formatted() { cargo fmt --check; }
linted() { cargo clippy --locked --all-targets "${features[@]}" --quiet -- -D warnings; }
without_demo() { cargo clippy --locked --no-default-features --quiet -- -D warnings; }
documented() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet; }
# The packaging test runs this one under the conditions of the image.
released() { cargo build --release --locked; }
tested() { cargo test --locked "${features[@]}" -- "${filter[@]}" 2>&1 | tee "$log"; }
audited() { cargo deny --config .deny.toml --all-features check; }

summary() {
    printf '\n\033[1m== Summary\033[0m\n'
    printf '%s\n' "${timings[@]}"
    echo
    grep -E '^error|^    [a-z0-9_]+(::[a-z0-9_]+)+$' "$log" | sort -u
    awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
        END { printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored }' "$log"
    if [ ${#failed[@]} -gt 0 ]; then
        printf 'FAILED: %s\n' "${failed[*]}"
        exit 1
    fi
    echo "All of it holds."
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

step servers install_servers
[ ${#failed[@]} -eq 0 ] || summary
if [ ${#filter[@]} -gt 0 ]; then
    step tests tested
    summary
    exit
fi
step format formatted
step lints linted
step lints-without-demo without_demo
step documentation documented
step release released
step tests tested
if cargo deny --version >/dev/null 2>&1; then
    step dependencies audited
else
    timings+=("   - s  left out: cargo-deny is not installed")
fi
summary
