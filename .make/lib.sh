# shellcheck shell=bash
# shellcheck disable=SC2034
# Sourced by every script here: where things are, how they speak, and which processes are ours. Starts nothing.

set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/citychain
# One target folder for demo, test, bench and CI, so that RocksDB is compiled once a machine.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
# Handed to the console by --home and not exported: a test must never meet the example city.
home=${CITYCHAIN_HOME:-$ROOT/.city}
unset CITYCHAIN_HOME
CITYCHAIN_HOME=$home
BUILT=$CARGO_TARGET_DIR/debug
NODE_WANTED=20
# From this version on Go fetches the toolchain that a go.mod asks for.
GO_WANTED=1.21
RUST_WANTED=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
export PATH="$CACHE/node/node_modules/.bin:$PATH:$HOME/.cargo/bin"

# Chinese first; one language where the terminal's locale names it.
say() {
  case "${LC_ALL:-${LANG:-}}" in
    zh*) printf '%s\n' "$1" ;;
    en*) printf '%s\n' "$2" ;;
    *) printf '%s\n%s\n' "$1" "$2" ;;
  esac
}

# The last words of a script that cannot go on.
fail() {
  say "$1" "$2" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least 1.95.0 1.95: is the first version the second one or later?
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

rust_version() { cargo --version 2>/dev/null | cut -d' ' -f2; }

# An older default toolchain is left as it is; ours is chosen for these scripts only.
use_toolchain() {
  local now
  now=$(rust_version || true)
  if [ -n "$now" ] && at_least "$now" "$RUST_WANTED"; then return 0; fi
  if have rustup && rustup run "$RUST_WANTED" cargo --version >/dev/null 2>&1; then
    export RUSTUP_TOOLCHAIN=$RUST_WANTED
    return 0
  fi
  return 1
}

# Every build selects the whole workspace and names the programs it wants. Selecting a package instead would choose
# other features for shared dependencies, and compile RocksDB a second time.
build() {
  local names=()
  local name
  for name in "$@"; do names+=(--bin "$name"); done
  cargo build --workspace "${names[@]}"
  keep_rocksdb
}

# RocksDB's archive, kept beside the target folder under the version that compiled it. A change anywhere among the
# dependencies gives its crate a new identity, and cargo would compile the same C++ again, for ten minutes or more.
ROCKSDB=$CACHE/rocksdb-$(sed -n '/^name = "librocksdb-sys"/{n;s/^version = "\(.*\)"/\1/p}' "$ROOT/Cargo.lock")

use_rocksdb() {
  if [ -s "$ROCKSDB/librocksdb.a" ]; then export ROCKSDB_LIB_DIR=$ROCKSDB ROCKSDB_STATIC=1; fi
}

# Keeps what a build made; the next script uses it. Renamed into place, so that a broken copy is never linked.
keep_rocksdb() {
  local made
  [ ! -s "$ROCKSDB/librocksdb.a" ] || return 0
  made=$(find "$BUILT/build" -path '*/librocksdb-sys-*/out/librocksdb.a' -size +1M 2>/dev/null | head -n 1)
  [ -n "$made" ] || return 0
  mkdir -p "$ROCKSDB"
  cp "$made" "$ROCKSDB/librocksdb.a.new" && mv "$ROCKSDB/librocksdb.a.new" "$ROCKSDB/librocksdb.a"
}

use_rocksdb

# The vendored libraries in the current folder and their SHA-384 as JSON, in an order that no locale changes.
vendored_manifest() {
  find . -type f ! -name 'manifest.json*' ! -name 'LICENSE*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha384sum |
    awk 'BEGIN {printf "{"} {printf "%s\n  \"%s\": \"%s\"", (NR > 1 ? "," : ""), $2, $1} END {printf "\n}\n"}'
}

# --- processes: known by id and start time, so that a foreign process with a reused id is never touched ---

start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name in parentheses may hold spaces; the start time is the 20th field behind it.
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  printf '%s' "${20}"
}

# record FILE PID
record() {
  printf '%s %s\n' "$2" "$(start_time "$2")" >"$1.new"
  mv "$1.new" "$1"
}

# recorded FILE: prints the id if exactly that process still runs.
recorded() {
  local pid started
  [ -r "$1" ] || return 1
  read -r pid started <"$1" || return 1
  [ -n "${started:-}" ] && [ "$(start_time "$pid" || true)" = "$started" ] || return 1
  case $(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) in Z*) return 1 ;; esac
  printf '%s' "$pid"
}

# ended FILE SECONDS: waits until the recorded process is gone.
ended() {
  local left=$(($2 * 10))
  while recorded "$1" >/dev/null; do
    [ "$left" -gt 0 ] || return 1
    left=$((left - 1))
    sleep 0.1
  done
}

# stop FILE SECONDS: asks the recorded process to end, and ends it if it does not.
stop() {
  local pid
  if pid=$(recorded "$1"); then
    kill -TERM "$pid" 2>/dev/null || true
    if ! ended "$1" "$2"; then
      kill -KILL "$pid" 2>/dev/null || true
      ended "$1" 5 || true
    fi
  fi
  rm -f "$1"
}

# A port of 127.0.0.1 on which nothing listens now.
free_port() {
  local port
  for _ in $(seq 50); do
    port=$((20000 + RANDOM % 10000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s' "$port"
      return 0
    fi
  done
  return 1
}
