# shellcheck shell=bash
# Sourced by test: a PostgreSQL of our own in a temporary folder, on 127.0.0.1 and a free port. The system's own server
# is never used, asked or stopped. Sets CITYCHAIN_TEST_POSTGRES_URL.

POSTGRES=""

postgres_program() {
  local found
  found=$(command -v "$1" || compgen -G "/usr/lib/postgresql/*/bin/$1" | sort -V | tail -n 1) || true
  [ -n "$found" ] || fail "缺少 PostgreSQL 的 $1：请先运行 make setup" "PostgreSQL's $1 is missing: run make setup first"
  printf '%s' "$found"
}

# PostgreSQL refuses to run as root; then its package's own account runs it.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && setpriv --reuid postgres --regid postgres --clear-groups env HOME="$POSTGRES" "$@")
  else
    "$@"
  fi
}

start_postgres() {
  local initdb server port
  initdb=$(postgres_program initdb) server=$(postgres_program pg_ctl)
  POSTGRES=$(mktemp -d "${TMPDIR:-/tmp}/citychain-postgres.XXXXXX")
  [ "$(id -u)" != 0 ] || chown postgres:postgres "$POSTGRES"
  as_postgres "$initdb" --pgdata "$POSTGRES/data" --username citychain --auth trust --encoding UTF8 --no-locale --no-sync >"$POSTGRES.log" 2>&1 ||
    { cat "$POSTGRES.log" >&2; fail "测试数据库初始化失败：原因见上" "the test database could not be made: the reason is above"; }
  for _ in 1 2 3; do
    port=$(free_port)
    # Nothing here outlives the run, so nothing is synced to disk.
    if as_postgres "$server" -D "$POSTGRES/data" -l "$POSTGRES/data/server.log" -w -t 60 \
      -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories='$POSTGRES' -c fsync=off -c max_connections=200" start >>"$POSTGRES.log" 2>&1; then
      record "$POSTGRES.pid" "$(head -n 1 "$POSTGRES/data/postmaster.pid")"
      export CITYCHAIN_TEST_POSTGRES_URL=postgres://citychain@127.0.0.1:$port/postgres
      return 0
    fi
  done
  cat "$POSTGRES.log" "$POSTGRES/data/server.log" >&2 || true
  fail "测试数据库没有启动：原因见上" "the test database did not start: the reason is above"
}

stop_postgres() {
  local pid
  [ -n "$POSTGRES" ] || return 0
  if pid=$(recorded "$POSTGRES.pid"); then
    kill -INT "$pid" || true # fast shutdown
    ended "$POSTGRES.pid" 20 || stop "$POSTGRES.pid" 5
  fi
  rm -rf -- "$POSTGRES" "$POSTGRES.pid" "$POSTGRES.log"
  POSTGRES=""
}
