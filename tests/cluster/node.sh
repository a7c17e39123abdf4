# shellcheck shell=bash disable=SC2154
# Sourced by `cluster`: one node, which is a containerd and a kubelet of its own.

# The images that every node needs. A sandbox holds a pod's network and does nothing else.
system_images() {
  local image=("$BUILT/image" --user 0:0)
  "${image[@]}" --name localhost/pause:1 --out "$RUN/images/pause.tar" --entrypoint /bin/busybox,sleep,2147483647 /bin/busybox=/bin/busybox >/dev/null
  "${image[@]}" --name localhost/busybox:1 --out "$RUN/images/busybox.tar" --entrypoint /bin/busybox,sh /bin/busybox=/bin/busybox /bin/busybox=/bin/sh >/dev/null
  "${image[@]}" --name localhost/coredns:1 --out "$RUN/images/coredns.tar" --entrypoint /coredns,-conf,/etc/coredns/Corefile "$BIN/coredns=/coredns" >/dev/null
}

# A cgroup of its own, so that two kubelets do not clean up each other's pods.
cgroup() {
  local controller folder file
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p "/sys/fs/cgroup/city-cluster/$1"
    for folder in /sys/fs/cgroup /sys/fs/cgroup/city-cluster; do
      for controller in cpu cpuset memory pids io; do echo "+$controller" >"$folder/cgroup.subtree_control" 2>/dev/null || true; done
    done
    return
  fi
  for controller in cpu cpuacct cpuset memory devices freezer blkio pids systemd; do
    mkdir -p "/sys/fs/cgroup/$controller/city-cluster/$1" 2>/dev/null || true
  done
  for folder in city-cluster "city-cluster/$1"; do
    for file in cpuset.cpus cpuset.mems; do
      cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$folder/$file" 2>/dev/null || true
    done
  done
}

# Pods get an address of 10.244.N.0/24 that other pods see as it is: nothing is masqueraded.
node_files() {
  local i=$1 folder=$RUN/node-$1 socket=$2
  mkdir -p "$folder/cni" "$(dirname "$socket")"
  cat >"$folder/containerd.toml" <<END
version = 2
root = "$folder/containerd"
state = "$(dirname "$socket")"
[grpc]
  address = "$socket"
[plugins."io.containerd.internal.v1.opt"]
  path = "$folder/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true # without CAP_SYS_RESOURCE a sandbox's -998 cannot be set
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$(cni_plugins)"
    conf_dir = "$folder/cni"
END
  cat >"$folder/cni/10-pods.conflist" <<END
{"cniVersion":"0.4.0","name":"city-cluster-node-$i","plugins":[
 {"type":"ptp","ipMasq":false,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.$i.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}],"dataDir":"$folder/ipam"}}]}
END
  cat >"$folder/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
port: $((10250 + (i - 1) * 10))
healthzPort: $((10248 - i))
authentication: {x509: {clientCAFile: $RUN/pki/ca.crt}, anonymous: {enabled: false}, webhook: {enabled: true}}
authorization: {mode: Webhook}
tlsCertFile: $RUN/pki/node-$i.crt
tlsPrivateKeyFile: $RUN/pki/node-$i.key
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
cgroupDriver: cgroupfs
cgroupRoot: /city-cluster/node-$i
failCgroupV1: false
failSwapOn: false
containerRuntimeEndpoint: unix://$socket
podLogsDir: $folder/pods
volumePluginDir: $folder/plugins
evictionHard: {}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 4s
maxPods: 250
END
}

node() {
  local i=$1 name=node-$1 image
  local folder=$RUN/$name socket=$SOCKETS/$name/containerd.sock
  node_files "$i" "$socket"
  cgroup "$name"
  run "containerd-$name" containerd -c "$folder/containerd.toml"
  until_true 30 "containerd-$name" ctr -a "$socket" version
  for image in "$RUN"/images/*.tar; do ctr -a "$socket" -n k8s.io images import "$image" >/dev/null; done
  run "kubelet-$name" kubelet --config="$folder/kubelet.yaml" --kubeconfig="$RUN/conf/$name.conf" --root-dir="$folder/kubelet" \
    --cert-dir="$folder/pki" --hostname-override="$name" --node-ip="$NODE_IP"
}
