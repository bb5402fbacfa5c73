#!/usr/bin/env bash
# The one test command: everything that must hold before a change is merged, with real Redis, SQLite and PostgreSQL, and
# Chromium for the page of the demo.
#
#   tests/run.sh               all of it
#   tests/run.sh quick         the units, and the front door on SQLite: no servers, no other checks; two minutes once built
#   tests/run.sh soak          the long forms of the crashes, kills, faults and simulation: hours
#   tests/run.sh deposits::    only the tests whose name contains that; the other checks are left out
#
# The servers are private: each test starts its own and ends it. Nothing that runs on this machine is touched.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# The crash tests kill the bot at named points, which exist in this build only.
features=(--features failpoints)
tier=all
filter=("$@")
case "${1:-}" in
    quick | soak) tier=$1 filter=("${@:2}") ;;
    ?*) tier=filtered ;;
esac
# A snapshot that differs is a failure, not a file to be looked at later.
export INSTA_UPDATE=no
failed=()
timings=()
# The checks that this machine cannot run, and the arguments that skip them.
left_out=()
skipped=()

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

# Installs the missing packages where the system is Debian's kind and lets us.
apt_install() {
    echo "installing: ${missing[*]}"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
    if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }; then
        "${as_root[@]}" apt-get update --quiet=2 &&
            "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
                apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}"
    fi
}

install_servers() {
    find_servers && return
    apt_install
    find_servers && return
    echo "tests/run.sh needs the programs of: ${missing[*]}" >&2
    echo "Install them with your system's packages (Debian, Ubuntu: apt-get install redis-server postgresql;" >&2
    echo "Fedora: dnf install redis postgresql-server; macOS: brew install redis postgresql), or run everything in a" >&2
    echo "container: docker build --file Dockerfile.tests --tag depot-bot-tests . && docker run --rm depot-bot-tests" >&2
    return 1
}

# The page of the demo is tried in Chromium. It is large, so a machine that cannot have it goes without, and is told.
find_browser() {
    missing=()
    command -v chromium >/dev/null || missing+=(chromium)
    command -v chromedriver >/dev/null || missing+=(chromium-driver)
    [ ${#missing[@]} -eq 0 ]
}

install_browser() {
    find_browser && return
    apt_install
    find_browser && return
    left_out+=("the tests in a browser: this machine has no ${missing[*]} (Debian, Ubuntu: apt-get install ${missing[*]})")
    skipped+=(--skip browser::)
}

# The accessibility checker: one file of one package of the npm registry.
axe_version=4.14.1
axe_sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
axe=target/browser/axe.min.js

has_axe() { echo "$axe_sum  $axe" | sha256sum --check --status 2>/dev/null; }

fetch_axe() {
    has_axe && return
    missing=(npm)
    command -v npm >/dev/null || apt_install
    mkdir -p target/browser
    npm pack --silent --pack-destination target/browser "axe-core@$axe_version" >/dev/null &&
        tar --extract --gzip --file "target/browser/axe-core-$axe_version.tgz" --directory target/browser \
            --strip-components 1 package/axe.min.js
    has_axe && return
    left_out+=("the accessibility check: axe-core $axe_version could not be fetched (it takes npm and its registry)")
    skipped+=(--skip browser::accessibility::)
}

formatted() { cargo fmt --all --check; }
linted() { cargo clippy --locked --workspace --all-targets "${features[@]}" --quiet -- -D warnings; }
without_demo() { cargo clippy --locked --no-default-features --quiet -- -D warnings; }
documented() { RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet; }
# The tests of the packaging run this one under the conditions of the image.
released() { cargo build --release --locked; }
# The build of the README's first command, in a fresh clone: a newcomer waits for it.
first_built() {
    local TIMEFORMAT="A first build takes %R s, and %U s of processor time."
    rm -rf target/first-build
    time cargo build --locked --quiet --target-dir target/first-build
}
seeded() { tests/seeded_faults/build.sh >/dev/null; }
compiled() { cargo test --locked --workspace "${features[@]}" --no-run; }
tested() { cargo test --locked --workspace "${features[@]}" "$@" 2>&1 | tee -a "$log"; }

# Most tests wait more than they work.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}

# The front door and the machine on SQLite: modules of tests/it of which the rest need no server.
front_door=(access:: commands:: config:: corrections:: deposits:: intake:: machine:: service:: tidy:: trouble:: understand::)
need_servers=(ledger:: oracle:: every_engine of_redis check_looks deposits_are_listed)
quick() {
    tested --lib && tested --test it -- "${front_door[@]}" "${need_servers[@]/#/--skip=}"
}

# The long forms; the first lines of each module describe its own.
soaked() {
    local long=(crash:: faults:: kills:: simulation::)
    [ ${#filter[@]} -eq 0 ] || long=("${filter[@]}")
    DEPOT_SOAK=1 DEPOT_SEEDS=20000 tested --test it -- --nocapture "${long[@]}"
}

everything() { tested -- "${skipped[@]}"; }
audited() { cargo deny --config .deny.toml --all-features check; }

summary() {
    printf '\n\033[1m== Summary\033[0m\n'
    printf '%s\n' "${timings[@]}"
    echo
    grep -E '^error|^    [a-z0-9_]+(::[a-z0-9_]+)+$' "$log" | sort -u
    awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
        END { printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored }' "$log"
    [ ${#left_out[@]} -eq 0 ] || printf 'LEFT OUT: %s\n' "${left_out[@]}"
    if [ ${#failed[@]} -gt 0 ]; then
        printf 'FAILED: %s\n' "${failed[*]}"
        exit 1
    fi
    echo "All of it holds."
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT

if [ "$tier" = quick ]; then
    step compile compiled
    step tests quick
    summary
    exit
fi
step servers install_servers
[ ${#failed[@]} -eq 0 ] || summary
if [ "$tier" = soak ]; then
    step tests soaked
    summary
    exit
fi
step browser install_browser
step accessibility-checker fetch_axe
if [ "$tier" = filtered ]; then
    step tests tested -- "${skipped[@]}" "${filter[@]}"
    summary
    exit
fi
step format formatted
step lints linted
step lints-without-demo without_demo
step documentation documented
[ -z "${CI:-}" ] || step first-build first_built
step compile compiled
step seeded-faults seeded
# Before the tests: those of the packaging run it, and those of the kills need the processor.
step release released
step tests everything
if cargo deny --version >/dev/null 2>&1; then
    step dependencies audited
else
    left_out+=("the check of licences and advisories: cargo-deny is not installed")
fi
summary
