# shellcheck shell=bash disable=SC2154
# Sourced by `cluster`: what the machine was before, and how it becomes that again. What was there before is never touched.

# The settings of the kernel that kubelet and kube-proxy change.
SETTINGS="net/ipv4/ip_forward net/ipv4/conf/all/route_localnet net/netfilter/nf_conntrack_max
net/netfilter/nf_conntrack_tcp_timeout_established net/netfilter/nf_conntrack_tcp_timeout_close_wait net/netfilter/nf_conntrack_tcp_be_liberal
vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes"
# Folders that CNI, kubelet and containerd's shims make at places of their own.
FOLDERS="/var/lib/cni/results /var/lib/cni /var/lib/kubelet/device-plugins /var/lib/kubelet /var/log/containers
/run/containerd/s /run/containerd/runc/k8s.io /run/containerd/runc /run/containerd $SOCKETS"

network_namespaces() { ip netns list | cut -d' ' -f1; }

remember() {
  local setting folder family
  mkdir -p "$RUN/before"
  for setting in $SETTINGS; do
    [ ! -r "/proc/sys/$setting" ] || printf '%s %s\n' "$setting" "$(tr '\t' ' ' <"/proc/sys/$setting")"
  done >"$RUN/before/settings"
  for folder in $FOLDERS; do [ -d "$folder" ] || printf '%s\n' "$folder"; done >"$RUN/before/no-folders"
  network_namespaces >"$RUN/before/namespaces"
  for family in iptables ip6tables; do
    # Chains and rules without their counters.
    "$family-save" 2>/dev/null | sed 's/ \[[0-9:]*\]$//' >"$RUN/before/$family" || true
  done
}

# Takes out the rules and chains that name Kubernetes or this cluster and were not there before, and nothing else.
remove_rules() {
  local family
  for family in iptables ip6tables; do
    "$family-save" 2>/dev/null | sed 's/ \[[0-9:]*\]$//' | awk -v before="$RUN/before/$family" '
      BEGIN { while ((getline line < before) > 0) { if (line ~ /^\*/) table = line; known[table line] = 1 } }
      /^\*/ { table = $0; first = rules = chains = "" }
      /^COMMIT/ { printf "%s\n%s%s%sCOMMIT\n", table, first, rules, chains }
      known[table $0] { next }
      /^:KUBE-/ { chain = substr($1, 2); rules = rules "-F " chain "\n"; chains = chains "-X " chain "\n"; next }
      /^-A KUBE-/ { next }
      /^-A / && (/KUBE-/ || /city-cluster/) { sub(/^-A/, "-D"); first = first $0 "\n" }
    ' | "$family-restore" --noflush 2>/dev/null || true
  done
}

remove_namespaces() {
  local name
  for name in $(network_namespaces | grep '^cni-' || true); do
    grep -qx "$name" "$RUN/before/namespaces" || ip netns delete "$name" || true
  done
}

# A container ends with its task; the shim leaves when the task is gone.
remove_containers() {
  local socket id
  for socket in "$SOCKETS"/*/containerd.sock; do
    [ -S "$socket" ] || continue
    for id in $(ctr -a "$socket" -n k8s.io tasks ls -q); do ctr -a "$socket" -n k8s.io tasks rm -f "$id" >/dev/null 2>&1 || true; done
    for id in $(ctr -a "$socket" -n k8s.io containers ls -q); do
      ctr -a "$socket" -n k8s.io containers rm "$id" >/dev/null 2>&1 || true
      rm -f "/var/lib/cni/results/cni-loopback-$id-lo"
    done
  done
}

# On a busy machine a task may outlive the time that containerd gives it, and its shim with it. A shim names the socket of
# the containerd that it belongs to, so only ours are ended.
remove_shims() {
  local id
  for id in $(pgrep -f -- "^[^ ]*containerd-shim[^ ]* .* -address $SOCKETS/"); do kill "$id" 2>/dev/null || true; done
}

restore_settings() {
  local setting value
  while read -r setting value; do
    [ "$(tr '\t' ' ' <"/proc/sys/$setting")" = "$value" ] || echo "$value" >"/proc/sys/$setting" || true
  done <"$RUN/before/settings"
}

remove_folders() {
  local folder link
  rm -f /var/lib/cni/results/city-cluster-*
  for link in /var/log/containers/*; do
    case $(readlink "$link" || true) in "$RUN"/*) rm -f "$link" ;; esac
  done
  find /sys/fs/cgroup/city-cluster /sys/fs/cgroup/*/city-cluster -depth -type d -exec rmdir {} + 2>/dev/null || true
  rm -rf "$SOCKETS"
  # Only what was not there before, and only if nobody else has put something in.
  while read -r folder; do
    rm -f "$folder/kubelet.sock"
    [ ! -d "$folder" ] || rmdir "$folder" 2>/dev/null || true
  done <"$RUN/before/no-folders"
  rm -rf "$RUN"
}

# Safe to repeat, and after an `up` that broke off anywhere.
down() {
  local file mounted
  [ -d "$RUN/before" ] || return 0
  # Whoever starts containers or writes rules ends first.
  for file in "$RUN"/pid/{kubelet-*,volumes,proxy,scheduler,controller-manager}; do [ ! -f "$file" ] || stop "$file" 10; done
  remove_containers
  for file in "$RUN"/pid/*; do [ ! -f "$file" ] || stop "$file" 10; done
  remove_shims
  awk -v run="$RUN/" -v sockets="$SOCKETS/" 'index($2, run) == 1 || index($2, sockets) == 1 {print $2}' /proc/mounts | sort -r |
    while read -r mounted; do umount -l "$mounted" || true; done
  remove_namespaces
  remove_rules
  ip link delete city-cluster 2>/dev/null || true
  restore_settings
  remove_folders
}
