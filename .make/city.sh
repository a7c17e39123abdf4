# shellcheck shell=bash
# shellcheck disable=SC2034
# Sourced by demo, demo-stop and demo-reset: the example city's records and how it is stopped.

# The port that console.toml names, unless the environment names another.
PORT=${CITYCHAIN_PORT:-$(sed -n 's/^listen *= *".*:\([0-9]*\)".*/\1/p' "$CITYCHAIN_HOME/console.toml" 2>/dev/null || true)}
PORT=${PORT:-8800}
LOCAL=http://127.0.0.1:$PORT
CONSOLE_PID=$CITYCHAIN_HOME/console.pid
SCRIPT_PID=$CITYCHAIN_HOME/demo.pid
SIGN_INS=$CITYCHAIN_HOME/sign-ins.txt

# First the console, so that it does not start again what is being stopped, then every node that a process.json names.
stop_city() {
  stop "$CONSOLE_PID" 15
  if [ -x "$BUILT/console" ] && [ -e "$CITYCHAIN_HOME/console.toml" ]; then
    "$BUILT/console" stop --home "$CITYCHAIN_HOME" || {
      say "有节点没有停下：见上；其编号记在 $CITYCHAIN_HOME/chains/*/validators/*/process.json" "a node did not stop: see above; its id is in $CITYCHAIN_HOME/chains/*/validators/*/process.json"
      return 1
    }
  fi
}
