# shellcheck shell=bash disable=SC2034
# Sourced after lib.sh by what needs a cluster: images, programs, a cluster that is taken down at the end, and the chart's
# objects tried. Starts nothing by itself.

cluster=$ROOT/tests/cluster/cluster
images=$CARGO_TARGET_DIR/images
# What the tests print is kept here, for the table at the end.
export CITYCHAIN_MEASURED=$images/measured.txt CITYCHAIN_AUDIT_LOG=$CACHE/cluster/run/log/audit.log

# Packages, programs and images; nothing runs yet.
prepare() {
  "$ROOT/.make/setup" e2e
  use_toolchain || fail "缺少 Rust $RUST_WANTED：请先运行 make setup" "Rust $RUST_WANTED is missing: run make setup first"
  [ "$(id -u)" = 0 ] || fail "需要管理员权限：请以 root 运行（集群使用网络命名空间与 cgroup）" "administrator rights are needed: run it as root (the cluster uses network namespaces and cgroups)"
  cd "$ROOT" || exit
  "$cluster" build
  eval "$("$cluster" env)"
  "$ROOT/.make/images"
}

# On the way out, however it ends: what a failure looked like, then nothing is left. KEEP=1 leaves everything.
leave() {
  local status=$?
  trap '' INT TERM HUP
  if [ "$status" != 0 ] && kubectl get nodes >/dev/null 2>&1; then
    kubectl get tenants,chains,pods -A -o wide | head -n 200 || true
    kubectl -n citychain-system logs -l app.kubernetes.io/name=citychain-operator --tail=40 --prefix || true
  fi
  [ -n "${KEEP:-}" ] || "$cluster" down
  exit "$status"
}

# install HELM-ARGUMENTS...: every object as the API server reads it, strictly, before any is made; then the release.
install() {
  kubectl create namespace citychain-system --dry-run=client -o yaml | kubectl apply -f - >/dev/null
  kubectl label namespace citychain-system --overwrite pod-security.kubernetes.io/enforce=restricted >/dev/null
  helm template --validate "$@" | kubectl apply --dry-run=server --validate=strict -f - >/dev/null
  # The suites sign for themselves and give themselves the members' tokens that a console would; the console joins afterwards.
  helm upgrade --install "$@" --set console.enabled=false --wait --timeout 5m >/dev/null
  : >"$CITYCHAIN_MEASURED"
}

# suite NAME FILTERS...: runs this test program and prints what it measured, also where it failed.
suite() {
  local status=0 name=$1
  shift
  cargo test --workspace --features e2e/cluster --test "$name" -- --nocapture --test-threads=1 "$@" </dev/null || status=$?
  say "── 实测 ──" "── measured ──"
  column -t -s '|' "$CITYCHAIN_MEASURED" 2>/dev/null || cat "$CITYCHAIN_MEASURED"
  return "$status"
}
