"""What the restricted Pod Security Standard demands of a pod, as far as its specification shows it.

Kubernetes documents it as a table of fields and allowed values; each function here is a row of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Pod = Mapping[str, Any]

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
}
SECCOMP = {"RuntimeDefault", "Localhost"}
SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t"}


def containers(pod: Pod) -> Iterator[Mapping[str, Any]]:
    """Every container of every kind."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod.get(kind, ())


def contexts(pod: Pod) -> Iterator[Mapping[str, Any]]:
    """Every security context: the pod's and its containers'."""
    yield pod.get("securityContext", {})
    for container in containers(pod):
        yield container.get("securityContext", {})


def _everywhere(pod: Pod, check: Callable[[Mapping[str, Any]], bool]) -> bool:
    return all(check(context) for context in contexts(pod))


def _in_effect(pod: Pod, key: str) -> list[Any]:
    """A field for each container: its own, or else the pod's."""
    inherited = pod.get("securityContext", {}).get(key)
    return [
        container.get("securityContext", {}).get(key, inherited) for container in containers(pod)
    ]


def _gives_up_capabilities(container: Mapping[str, Any]) -> bool:
    change = container.get("securityContext", {}).get("capabilities", {})
    return "ALL" in change.get("drop", ()) and set(change.get("add", ())) <= {"NET_BIND_SERVICE"}


RULES: dict[str, Callable[[Pod], bool]] = {
    "host namespaces": lambda pod: (
        not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
    ),
    "host process": lambda pod: _everywhere(
        pod, lambda context: not context.get("windowsOptions", {}).get("hostProcess")
    ),
    "privileged": lambda pod: _everywhere(pod, lambda context: not context.get("privileged")),
    "host ports": lambda pod: (
        not any(port.get("hostPort") for each in containers(pod) for port in each.get("ports", ()))
    ),
    "host probes": lambda pod: (
        not any(
            probe.get(how, {}).get("host")
            for each in containers(pod)
            for probe in (
                each.get(f"{kind}Probe", {}) for kind in ("startup", "readiness", "liveness")
            )
            for how in ("httpGet", "tcpSocket")
        )
    ),
    "volume types": lambda pod: all(
        set(volume) - {"name"} <= VOLUMES for volume in pod.get("volumes", ())
    ),
    "proc mount": lambda pod: _everywhere(
        pod, lambda context: context.get("procMount", "Default") == "Default"
    ),
    "sysctls": lambda pod: (
        {each["name"] for each in pod.get("securityContext", {}).get("sysctls", ())} <= SYSCTLS
    ),
    "SELinux": lambda pod: _everywhere(
        pod,
        lambda context: (
            context.get("seLinuxOptions", {}).get("type") in SELINUX_TYPES
            and not {"user", "role"} & set(context.get("seLinuxOptions", {}))
        ),
    ),
    "AppArmor": lambda pod: _everywhere(
        pod, lambda context: context.get("appArmorProfile", {}).get("type") != "Unconfined"
    ),
    "seccomp": lambda pod: all(
        (profile or {}).get("type") in SECCOMP for profile in _in_effect(pod, "seccompProfile")
    ),
    "root user": lambda pod: (
        all(value is True for value in _in_effect(pod, "runAsNonRoot"))
        and _everywhere(pod, lambda context: context.get("runAsUser") != 0)
    ),
    "privilege escalation": lambda pod: all(
        each.get("securityContext", {}).get("allowPrivilegeEscalation") is False
        for each in containers(pod)
    ),
    "capabilities": lambda pod: all(map(_gives_up_capabilities, containers(pod))),
}
"""What each row is about, and whether a pod keeps to it."""


def violations(pod: Pod) -> list[str]:
    """Return what the rows that a pod breaks are about."""
    return [name for name, keeps in RULES.items() if not keeps(pod)]
