# shellcheck shell=bash disable=SC2154
# Sourced by `cluster`: certificates, the addresses of the cluster on this machine, etcd and the control plane.

# run NAME COMMAND...: in a session of its own, known by id and start time. What the caller holds open, a lock perhaps, is
# not handed on.
run() {
  local name=$1
  shift
  setsid "$@" >"$RUN/log/$name.log" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  record "$RUN/pid/$name" $!
}

stuck() { fail "$1 没有起来：见 $RUN/log" "$1 did not come up: see $RUN/log"; }

# until_true SECONDS NAME COMMAND...
until_true() {
  local ends=$((SECONDS + $1)) name=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$ends" ] || stuck "$name"
    sleep 0.2
  done
}

# certificate NAME SUBJECT SANS
certificate() {
  local key=$RUN/pki/$1.key
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$key" -out "$RUN/pki/$1.csr" -subj "$2" 2>/dev/null
  openssl x509 -req -in "$RUN/pki/$1.csr" -CA "$RUN/pki/ca.crt" -CAkey "$RUN/pki/ca.key" -CAcreateserial -days 30 \
    -out "$RUN/pki/$1.crt" -extfile <(printf 'extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=%s' "$3") 2>/dev/null
}

# kubeconfig NAME: a file that signs in with NAME's certificate
kubeconfig() {
  cat >"$RUN/conf/$1.conf" <<END
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://$NODE_IP:6443", certificate-authority: $RUN/pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $RUN/pki/$1.crt, client-key: $RUN/pki/$1.key}}]
contexts: [{name: test, context: {cluster: test, user: $1}}]
current-context: test
END
}

certificates() {
  local i user
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$RUN/pki/ca.key" -out "$RUN/pki/ca.crt" -days 30 -subj /CN=test-ca 2>/dev/null
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$RUN/pki/sa.key" 2>/dev/null
  openssl rsa -in "$RUN/pki/sa.key" -pubout -out "$RUN/pki/sa.pub" 2>/dev/null
  certificate apiserver /CN=kube-apiserver "IP:$NODE_IP,IP:$API_IP,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
  certificate admin /O=system:masters/CN=admin DNS:admin
  for user in controller-manager scheduler; do certificate "$user" "/CN=system:kube-$user" "DNS:$user"; done
  certificate proxy /CN=system:kube-proxy DNS:proxy
  for i in $(seq "$1"); do
    certificate "node-$i" "/O=system:nodes/CN=system:node:node-$i" "DNS:node-$i,IP:$NODE_IP"
    kubeconfig "node-$i"
  done
  for user in admin controller-manager scheduler proxy; do kubeconfig "$user"; done
}

# A veth pair of the cluster's own carries the machine's address in it and the route of the services, which kube-proxy
# rewrites. Docker drops what is forwarded unless a rule allows it.
network() {
  local family left=150
  # What a killed run left goes with its last container, a moment after it was asked to.
  while ip -4 route | grep -qE '^10\.(96|244)\.' && [ "$left" -gt 0 ]; do
    left=$((left - 1))
    sleep 0.2
  done
  if [ "$left" = 0 ]; then
    down
    fail "本机已使用 10.96.0.0/16 或 10.244.0.0/16" "10.96.0.0/16 or 10.244.0.0/16 is in use on this machine"
  fi
  echo 1 >/proc/sys/net/ipv4/ip_forward
  ip link add city-cluster type veth peer name city-cluster-p
  ip addr add "$NODE_IP/32" dev city-cluster
  ip link set city-cluster-p up
  ip link set city-cluster up
  ip route add "$SERVICES" dev city-cluster src "$NODE_IP"
  for family in -s -d; do iptables -w -I FORWARD "$family" 10.244.0.0/16 -m comment --comment city-cluster -j ACCEPT; done
}

control_plane() {
  run etcd etcd --data-dir "$RUN/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
  run apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --service-cluster-ip-range="$SERVICES" \
    --bind-address="$NODE_IP" --advertise-address="$NODE_IP" --secure-port=6443 --client-ca-file="$RUN/pki/ca.crt" \
    --tls-cert-file="$RUN/pki/apiserver.crt" --tls-private-key-file="$RUN/pki/apiserver.key" \
    --kubelet-client-certificate="$RUN/pki/admin.crt" --kubelet-client-key="$RUN/pki/admin.key" --kubelet-certificate-authority="$RUN/pki/ca.crt" \
    --service-account-key-file="$RUN/pki/sa.pub" --service-account-signing-key-file="$RUN/pki/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc --authorization-mode=Node,RBAC --allow-privileged=true \
    --kubelet-preferred-address-types=InternalIP --audit-policy-file="$HERE/audit.yaml" --audit-log-path="$RUN/log/audit.log"
  until_true 60 apiserver kubectl get --raw /readyz
  run controller-manager kube-controller-manager --kubeconfig="$RUN/conf/controller-manager.conf" --bind-address=127.0.0.1 \
    --service-account-private-key-file="$RUN/pki/sa.key" --root-ca-file="$RUN/pki/ca.crt" --use-service-account-credentials \
    --cluster-signing-cert-file="$RUN/pki/ca.crt" --cluster-signing-key-file="$RUN/pki/ca.key" --leader-elect=false --node-monitor-grace-period=16s \
    --kube-api-qps=300 --kube-api-burst=600
  run scheduler kube-scheduler --kubeconfig="$RUN/conf/scheduler.conf" --bind-address=127.0.0.1 --leader-elect=false \
    --kube-api-qps=300 --kube-api-burst=600
  cat >"$RUN/conf/proxy.yaml" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $RUN/conf/proxy.conf}
mode: iptables
clusterCIDR: 10.244.0.0/16
conntrack: {maxPerCore: 0}
END
  run proxy kube-proxy --config="$RUN/conf/proxy.yaml" --hostname-override=node-1
}

# DNS, and volumes: claims become folders that a non-root pod may write. Every node may mount them, so pods may move.
addons() {
  kubectl apply -f "$HERE/addons.yaml" >/dev/null
  echo "{\"sharedFileSystemPath\":\"$RUN/volumes\"}" >"$RUN/conf/volumes.json"
  run volumes local-path-provisioner start --config "$RUN/conf/volumes.json" --kubeconfig "$KUBECONFIG" --namespace kube-system \
    --helper-image localhost/busybox:1 --helper-pod-file "$HERE/volume-helper.yaml" --configmap-name volume-scripts --service-account-name default
}
