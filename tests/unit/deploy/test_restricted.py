"""The policy that the manifests are held to notices what it is there for."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.deploy.restricted import RULES, violations

POD: dict[str, Any] = {
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "containers": [
        {
            "name": "a",
            "ports": [{"containerPort": 1}],
            "livenessProbe": {"httpGet": {"path": "/"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
    ],
    "volumes": [{"name": "config", "configMap": {"name": "a"}}],
}


def own(pod: dict[str, Any]) -> dict[str, Any]:
    """The security context of the pod's container."""
    return pod["containers"][0]["securityContext"]


BREACHES: dict[str, list[Callable[[dict[str, Any]], Any]]] = {
    "host namespaces": [lambda pod: pod.update(hostNetwork=True)],
    "host process": [lambda pod: own(pod).update(windowsOptions={"hostProcess": True})],
    "privileged": [lambda pod: own(pod).update(privileged=True)],
    "host ports": [lambda pod: pod["containers"][0]["ports"][0].update(hostPort=1)],
    "host probes": [
        lambda pod: pod["containers"][0]["livenessProbe"]["httpGet"].update(host="10.0.0.1")
    ],
    "volume types": [lambda pod: pod["volumes"].append({"name": "b", "hostPath": {"path": "/"}})],
    "proc mount": [lambda pod: own(pod).update(procMount="Unmasked")],
    "sysctls": [
        lambda pod: pod["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}])
    ],
    "SELinux": [
        lambda pod: own(pod).update(seLinuxOptions={"type": "spc_t"}),
        lambda pod: own(pod).update(seLinuxOptions={"user": "root"}),
    ],
    "AppArmor": [lambda pod: own(pod).update(appArmorProfile={"type": "Unconfined"})],
    "seccomp": [
        lambda pod: pod["securityContext"].pop("seccompProfile"),
        lambda pod: own(pod).update(seccompProfile={"type": "Unconfined"}),
    ],
    "root user": [
        lambda pod: pod["securityContext"].pop("runAsNonRoot"),
        lambda pod: own(pod).update(runAsNonRoot=False),
        lambda pod: own(pod).update(runAsUser=0),
    ],
    "privilege escalation": [lambda pod: own(pod).pop("allowPrivilegeEscalation")],
    "capabilities": [
        lambda pod: own(pod).pop("capabilities"),
        lambda pod: own(pod)["capabilities"].update(add=["SYS_ADMIN"]),
        lambda pod: own(pod)["capabilities"].update(drop=["NET_RAW"]),
    ],
}


class TestThePolicy:
    """The restricted Pod Security Standard."""

    def test_a_pod_that_keeps_to_it_is_accepted(self) -> None:
        assert violations(POD) == []

    def test_each_row_is_tried(self) -> None:
        assert BREACHES.keys() == RULES.keys()

    @pytest.mark.parametrize(
        ("row", "breach"),
        [(row, breach) for row, breaches in BREACHES.items() for breach in breaches],
    )
    def test_a_breach_is_noticed(self, row: str, breach: Callable[[Any], Any]) -> None:
        pod = copy.deepcopy(POD)
        breach(pod)
        assert violations(pod) == [row]

    def test_init_containers_are_held_to_it_as_well(self) -> None:
        pod = {**POD, "initContainers": [{"name": "b"}]}
        assert violations(pod) == ["privilege escalation", "capabilities"]
