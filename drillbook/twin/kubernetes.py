"""A region's Kubernetes cluster: which programs run on its machines, with which configuration."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.twin import groups, machines, pki
from drillbook.twin.layout import DATABASE_VOLUME, DNS_ADDRESS, PREFIX, REGISTRY_ADDRESS, REGISTRY_NAME
from drillbook.twin.machines import Bind, Disk, Program

if TYPE_CHECKING:
    from drillbook.twin.layout import Machine, Region

_CNI_PLUGINS = "/usr/lib/cni"
_DATABASE_MIB = 4096
_CONTAINERD = Path("/run/containerd/containerd.sock")


@dataclass(frozen=True, slots=True)
class Components:
    """Directory that holds the Kubernetes programs under their own names."""

    directory: Path

    def path(self, name: str) -> str:
        """Path of one program."""
        return str(self.directory / name)


def start(region: Region, components: Components, pause_image: str) -> None:
    """Start the region's machines; what runs already with the same configuration stays.

    Raises:
        MachineError: When a machine does not start.
        GroupError: When the kernel does not let a node have what its kubelet needs.
    """
    authority = pki.Authority(region.control_plane.directory / "pki")
    _write_kubeconfig(region, authority)
    _start_control_plane(region, components, authority)
    for worker in region.workers:
        _start_worker(region, worker, components, authority, pause_image)


def _write_kubeconfig(region: Region, authority: pki.Authority) -> None:
    leaf = authority.issue("admin", user="drillbook-admin", groups=["system:masters"])
    region.kubeconfig.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write_json(region.kubeconfig, pki.kubeconfig(authority, leaf, server=region.api_url, name=region.name))


def _start_control_plane(region: Region, components: Components, authority: pki.Authority) -> None:
    machine = region.control_plane
    server = authority.issue(
        "apiserver",
        user="kube-apiserver",
        hosts=[
            machine.address, region.api_service, "127.0.0.1", "localhost",
            "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
        ],
    )  # fmt: skip
    to_kubelet = authority.issue("apiserver-kubelet-client", user="kube-apiserver", groups=["system:masters"])
    tokens = authority.token_key()
    ca = str(authority.certificate)
    etcd = Program("etcd", (
        "/usr/bin/etcd", "--name=etcd", "--data-dir=/var/lib/etcd", "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=etcd=http://127.0.0.1:2380",
        "--log-outputs=stderr", "--logger=zap", "--log-level=warn",
    ))  # fmt: skip
    apiserver = Program("kube-apiserver", (
        components.path("kube-apiserver"),
        f"--advertise-address={machine.address}", "--secure-port=6443", "--etcd-servers=http://127.0.0.1:2379",
        f"--service-cluster-ip-range={region.service_network}", f"--client-ca-file={ca}",
        f"--tls-cert-file={server.certificate}", f"--tls-private-key-file={server.key}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={tokens.certificate}", f"--service-account-signing-key-file={tokens.key}",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-certificate-authority={ca}", f"--kubelet-client-certificate={to_kubelet.certificate}",
        f"--kubelet-client-key={to_kubelet.key}", "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true", "--profiling=false", "--event-ttl=2h",
    ))  # fmt: skip
    controllers = _control_loop(
        region, components, authority, "kube-controller-manager",
        "--use-service-account-credentials=true", f"--root-ca-file={ca}",
        f"--service-account-private-key-file={tokens.key}", f"--cluster-cidr={region.pod_network}",
        "--allocate-node-cidrs=false", "--node-monitor-grace-period=20s",
        # A claim whose volume the controller has not heard of yet is looked at again only after this (15 s by default).
        "--pvclaimbinder-sync-period=1s",
    )  # fmt: skip
    # The scheduler can miss that a claim was bound (kubernetes/kubernetes#87145); a pod that waits for it is then
    # looked at again only after this (5 min by default).
    scheduler = _control_loop(
        region, components, authority, "kube-scheduler", "--pod-max-in-unschedulable-pods-duration=15s"
    )
    data = Bind(machine.directory / "etcd", _mount_point(Path("/var/lib/etcd")))
    machines.start(machine, [etcd, apiserver, controllers, scheduler], [data])


def _control_loop(
    region: Region, components: Components, authority: pki.Authority, name: str, *arguments: str
) -> Program:
    leaf = authority.issue(name, user=f"system:{name}")
    configuration = region.control_plane.directory / f"{name}.kubeconfig"
    _write_json(configuration, pki.kubeconfig(authority, leaf, server=region.api_url, name=name))
    return Program(name, (
        components.path(name), f"--kubeconfig={configuration}", f"--authentication-kubeconfig={configuration}",
        f"--authorization-kubeconfig={configuration}", "--leader-elect=false", "--profiling=false", *arguments,
    ))  # fmt: skip


def _start_worker(
    region: Region, machine: Machine, components: Components, authority: pki.Authority, pause_image: str
) -> None:
    directory = machine.directory
    for name in ("containerd", "kubelet", "cni", "log/containers", "log/pods", "net.d"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    groups.make(machine.name)
    (directory / "resolv.conf").write_text(f"nameserver {DNS_ADDRESS}\n")
    _write_json(directory / "net.d" / "10-pods.conflist", _pod_network(machine))
    registry = directory / "certs.d" / REGISTRY_NAME
    registry.mkdir(parents=True, exist_ok=True)
    (registry / "hosts.toml").write_text(
        f'server = "http://{REGISTRY_ADDRESS}:5000"\n\n'
        f'[host."http://{REGISTRY_ADDRESS}:5000"]\n  capabilities = ["pull", "resolve"]\n'
    )
    (directory / "containerd.toml").write_text(_containerd_configuration(directory, pause_image))
    kubelet = _kubelet(region, machine, components, authority)
    proxy = _kube_proxy(region, machine, components, authority)
    runtime = Program("containerd", ("/usr/bin/containerd", f"--config={directory}/containerd.toml"))
    binds = [
        Bind(directory / "containerd", _mount_point(Path("/var/lib/containerd"))),
        Bind(directory / "kubelet", _mount_point(Path("/var/lib/kubelet"))),
        Bind(directory / "cni", _mount_point(Path("/var/lib/cni"))),
        Bind(directory / "log", Path("/var/log")),
    ]
    # The first worker has the database.
    disks = [Disk(machine.volume(DATABASE_VOLUME), _DATABASE_MIB)] if machine == region.workers[0] else []
    machines.start(machine, [runtime, kubelet, proxy], binds, disks)


def _kubelet(region: Region, machine: Machine, components: Components, authority: pki.Authority) -> Program:
    leaf = authority.issue(
        f"kubelet-{machine.name}", user=f"system:node:{machine.name}", groups=["system:nodes"],
        hosts=[machine.name, machine.address],
    )  # fmt: skip
    client = machine.directory / "kubelet.kubeconfig"
    _write_json(client, pki.kubeconfig(authority, leaf, server=region.api_url, name=machine.name))
    configuration = machine.directory / "kubelet.json"
    _write_json(configuration, {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": machine.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{PREFIX}/{machine.name}",
        "clusterDNS": [region.service_dns],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{_CONTAINERD}",
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failSwapOn": False,
        "failCgroupV1": False,
        "imageGCHighThresholdPercent": 100,
        "imageMaximumGCAge": "0s",
        "localStorageCapacityIsolation": False,
        "nodeStatusUpdateFrequency": "5s",
        "registryPullQPS": 0,
        "resolvConf": str(machine.directory / "resolv.conf"),
        "serializeImagePulls": False,
        "tlsCertFile": str(leaf.certificate),
        "tlsPrivateKeyFile": str(leaf.key),
    })  # fmt: skip
    return Program("kubelet", (
        components.path("kubelet"), f"--config={configuration}", f"--kubeconfig={client}",
        f"--hostname-override={machine.name}", f"--node-ip={machine.address}",
        f"--node-labels=topology.kubernetes.io/region={region.name},topology.kubernetes.io/zone={machine.name}",
        "--housekeeping-interval=30s",
    ))  # fmt: skip


def _kube_proxy(region: Region, machine: Machine, components: Components, authority: pki.Authority) -> Program:
    leaf = authority.issue(f"kube-proxy-{machine.name}", user="system:kube-proxy")
    client = machine.directory / "kube-proxy.kubeconfig"
    _write_json(client, pki.kubeconfig(authority, leaf, server=region.api_url, name=machine.name))
    configuration = machine.directory / "kube-proxy.json"
    _write_json(configuration, {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "bindAddress": machine.address,
        "clientConnection": {"kubeconfig": str(client)},
        "clusterCIDR": region.pod_network,
        "detectLocalMode": "ClusterCIDR",
        "hostnameOverride": machine.name,
        "mode": "iptables",
        "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        # The machine's limits are the host's: its sysctls are not to be changed for everybody.
        "conntrack": {"maxPerCore": 0},
    })  # fmt: skip
    return Program("kube-proxy", (components.path("kube-proxy"), f"--config={configuration}"))


def _pod_network(machine: Machine) -> dict[str, Any]:
    """Point-to-point and routed, so that no service answer can bypass its address translation on a bridge."""
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": machine.pod_network}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        ],
    }


def _containerd_configuration(directory: Path, pause_image: str) -> str:
    return f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "{_CONTAINERD}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  enable_unprivileged_ports = true
  max_concurrent_downloads = 6
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{_CNI_PLUGINS}"
    conf_dir = "{directory}/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{directory}/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


def _mount_point(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a file when its content differs: kube-proxy ends itself when its configuration is written again."""
    text = json.dumps(content, indent=2) + "\n"
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)
    path.chmod(0o600)
