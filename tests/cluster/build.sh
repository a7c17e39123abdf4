# shellcheck shell=bash disable=SC2154,SC2034
# Sourced by `cluster`: what has to be on the machine, and the programs built from Go modules. Starts nothing.
#
# Each folder here with a go.mod is one program family at one version, its go.sum committed. To move to another version:
# `go get -tool PACKAGE@VERSION` in that folder. kube/go.mod replaces Kubernetes' staging modules by their releases of the
# same version. Kubelet 1.34 is the last that accepts cgroup v1.

# What a cluster consists of: folder, program, package.
PROGRAMS="
kube kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
kube kube-controller-manager k8s.io/kubernetes/cmd/kube-controller-manager
kube kube-scheduler k8s.io/kubernetes/cmd/kube-scheduler
kube kube-proxy k8s.io/kubernetes/cmd/kube-proxy
kube kubelet k8s.io/kubernetes/cmd/kubelet
kube kubectl k8s.io/kubernetes/cmd/kubectl
etcd etcd go.etcd.io/etcd/server/v3
coredns coredns .
volumes local-path-provisioner github.com/rancher/local-path-provisioner
"
# What tests use on it.
TOOLS="
helm helm helm.sh/helm/v3/cmd/helm
kwok kwok sigs.k8s.io/kwok/cmd/kwok
"

# Debian's packages of what is missing. A container runtime that is already there is used as it is: Debian's containerd
# would remove Docker's.
install_packages() {
  local wanted=() command
  { have containerd && have ctr && have runc; } || wanted+=(containerd runc)
  [ -n "$(cni_plugins)" ] || wanted+=(containernetworking-plugins)
  [ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1 || wanted+=(busybox-static)
  for command in iptables conntrack ethtool socat openssl; do have "$command" || wanted+=("$command"); done
  have ip || wanted+=(iproute2)
  [ ${#wanted[@]} -gt 0 ] || return 0
  have apt-get || fail "请安装与这些 Debian 软件包相当的软件：${wanted[*]}" "install what these Debian packages are called here: ${wanted[*]}"
  local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300)
  "${quiet[@]}" update
  # Packages start their services; ours are our own processes.
  RUNLEVEL=1 "${quiet[@]}" install --no-install-recommends "${wanted[@]}" >/dev/null
}

# The folder of the CNI plugins: Debian's, or the one other distributions use.
cni_plugins() {
  local folder
  for folder in /usr/lib/cni /opt/cni/bin; do
    if [ -x "$folder/ptp" ] && [ -x "$folder/host-local" ]; then
      printf '%s' "$folder"
      return
    fi
  done
}

# build_programs LINES: those of them that the cache does not have.
build_programs() {
  local folder program package flags
  install_packages
  mkdir -p "$BIN"
  while read -r folder program package; do
    [ -n "$folder" ] && [ ! -x "$BIN/$program" ] || continue
    have go || fail "缺少 Go：请先运行 make setup" "Go is missing: run make setup first"
    say "编译 $program" "building $program" >&2
    flags="-s -w"
    [ "$folder" != kube ] || flags+=" -X k8s.io/component-base/version.gitVersion=v$KUBE"
    # Renamed into place, so that a broken build is never taken for a program.
    (cd "$HERE/$folder" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags "$flags" -o "$BIN/$program.new" "$package")
    mv "$BIN/$program.new" "$BIN/$program"
  done <<<"$1"
}
