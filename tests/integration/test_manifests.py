"""What `kubectl kustomize` makes of deploy/kubernetes is valid, safe, and fits together."""

import copy
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.prometheus_operator.v1 import PrometheusRule, ServiceMonitor
from pydantic import ValidationError

from monitor import __version__
from monitor.config import Connect, parse_config
from monitor.core.sharding import Shard
from monitor.metrics.families import RESERVED_LABELS
from monitor.place import Place, read_place
from monitor.web.routes import ROUTES
from tests.integration.harness.program import ROOT
from tests.integration.kustomize import (
    KUBERNETES,
    OVERLAYS,
    Manifest,
    kustomize_version,
    of_kind,
    overlay,
    render,
    with_component,
)
from tests.unit.deploy.network_policy import Traffic, admits
from tests.unit.deploy.restricted import violations

KUBERNETES_VERSIONS = ("1.35", "1.36", "1.37")
"""The three that are maintained; docs/kubernetes.md names them."""

OPERATOR = {"ServiceMonitor": ServiceMonitor, "PrometheusRule": PrometheusRule}

ANNOTATION_LIMIT = 256 * 1024
"""Bytes that `kubectl apply` can remember of an object."""

OPERATOR_LABELS = {"job", "instance", "namespace", "service", "pod", "container", "endpoint"}
"""What the operator gives each target of a ServiceMonitor."""

PROBES = ("startup", "readiness", "liveness")

PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}

DOCS = (ROOT / "docs" / "kubernetes.md").read_text()
SCALING = (ROOT / "docs" / "scaling.md").read_text()
BLOCK = re.MULTILINE | re.DOTALL

every_overlay = pytest.mark.parametrize("name", OVERLAYS)


def only(name: str, kind: str) -> Manifest:
    """The one object of a kind in an overlay."""
    (found,) = of_kind(overlay(name), kind)
    return found


def workload_of(manifests: tuple[Manifest, ...]) -> Manifest:
    """The Deployment or the StatefulSet among a set of objects."""
    (workload,) = of_kind(manifests, "Deployment") + of_kind(manifests, "StatefulSet")
    return workload


def pod_of(manifests: tuple[Manifest, ...]) -> dict[str, Any]:
    """The pod that a set of objects runs."""
    pod: dict[str, Any] = workload_of(manifests)["spec"]["template"]["spec"]
    return pod


def problems_of(manifest: Manifest, version: str) -> str | None:
    """What a version of Kubernetes says against an object of its own, if anything."""
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return str(error).splitlines()[0]
    return None


def as_operator_reads(manifest: Manifest) -> Manifest:
    """What the operator makes of an object: it drops fields that it does not know."""
    model = OPERATOR[manifest["kind"]].model_validate(manifest)
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


class TestRendering:
    """That they are what Kubernetes takes."""

    def test_kubectl_is_recent_enough(self) -> None:
        assert kustomize_version() >= (4,), "these overlays need kubectl 1.21 or newer"

    def test_there_are_overlays(self) -> None:
        assert OVERLAYS == ["prometheus-operator", "sharded", "single"]

    @every_overlay
    @pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
    def test_each_object_is_valid(self, name: str, version: str) -> None:
        known = [manifest for manifest in overlay(name) if manifest["kind"] not in OPERATOR]
        assert len(known) >= 7
        problems = {each["kind"]: problems_of(each, version) for each in known}
        assert {kind: problem for kind, problem in problems.items() if problem} == {}

    @pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
    def test_a_misspelt_field_would_be_noticed(self, version: str) -> None:
        wrong = copy.deepcopy(only("single", "Deployment"))
        wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
        assert "livenesProbe" in (problems_of(wrong, version) or "")

    @pytest.mark.parametrize("kind", OPERATOR)
    def test_the_operators_objects_are_valid(self, kind: str) -> None:
        manifest = only("prometheus-operator", kind)
        assert as_operator_reads(manifest) == manifest

    def test_a_field_that_the_operator_does_not_know_would_be_noticed(self) -> None:
        wrong = copy.deepcopy(only("prometheus-operator", "ServiceMonitor"))
        wrong["spec"]["endpoints"][0]["honourLabels"] = True
        assert as_operator_reads(wrong) != wrong
        wrong["spec"]["endpoints"][0]["interval"] = "15 s"
        with pytest.raises(ValidationError, match="interval"):
            as_operator_reads(wrong)

    @every_overlay
    def test_each_object_can_be_applied(self, name: str) -> None:
        sizes = {each["metadata"]["name"]: len(json.dumps(each)) for each in overlay(name)}
        assert {name: size for name, size in sizes.items() if size >= ANNOTATION_LIMIT} == {}

    @every_overlay
    def test_everything_lies_in_the_one_namespace(self, name: str) -> None:
        namespace = only(name, "Namespace")["metadata"]["name"]
        rest = [each for each in overlay(name) if each["kind"] != "Namespace"]
        assert {each["metadata"].get("namespace") for each in rest} == {namespace}


class TestSafety:
    """That the pod has no more than it needs."""

    @every_overlay
    def test_the_pod_keeps_to_the_restricted_standard_which_its_namespace_enforces(
        self, name: str
    ) -> None:
        assert violations(pod_of(overlay(name))) == []
        labels = only(name, "Namespace")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"

    @every_overlay
    def test_it_can_write_nothing_and_gets_no_key_to_the_cluster(self, name: str) -> None:
        pod = pod_of(overlay(name))
        assert pod["automountServiceAccountToken"] is False
        assert only(name, "ServiceAccount")["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert all(mount["readOnly"] for mount in container["volumeMounts"])

    @every_overlay
    def test_no_secret_is_among_the_objects_but_one_is_referred_to(self, name: str) -> None:
        assert of_kind(overlay(name), "Secret") == []
        (volume,) = (each for each in pod_of(overlay(name))["volumes"] if "secret" in each)
        # Other users get no bits, and the group is the one that the volume's files get.
        assert volume["secret"]["defaultMode"] & 0o007 == 0
        assert pod_of(overlay(name))["securityContext"]["fsGroup"] == 65532

    @every_overlay
    def test_memory_is_limited_and_cpu_is_not(self, name: str) -> None:
        for container in pod_of(overlay(name))["containers"]:
            resources = container["resources"]
            assert resources["limits"] == {"memory": resources["requests"]["memory"]}
            assert "cpu" in resources["requests"]

    @pytest.mark.parametrize("name", ["single", "prometheus-operator"])
    def test_nothing_is_watched_twice_during_a_rollout(self, name: str) -> None:
        spec = only(name, "Deployment")["spec"]
        assert spec["replicas"] == 1
        assert spec["strategy"] == {"type": "Recreate"}

    @every_overlay
    def test_a_node_can_be_drained(self, name: str) -> None:
        spec = only(name, "PodDisruptionBudget")["spec"]
        assert spec["maxUnavailable"] == 1
        assert "minAvailable" not in spec

    @every_overlay
    @pytest.mark.parametrize(
        ("direction", "traffic", "passes"),
        [
            ("ingress", Traffic(address="10.0.0.9", port="http", labels=PROMETHEUS), True),
            ("ingress", Traffic(address="10.0.0.9", port=10442, labels=PROMETHEUS), False),
            ("ingress", Traffic(address="10.0.0.9", port="http", labels={"app": "x"}), False),
            ("ingress", Traffic(address="203.0.113.9", port="http"), False),
            ("egress", Traffic(address="10.0.0.10", port=53, protocol="UDP"), True),
            ("egress", Traffic(address="169.254.20.10", port=53, protocol="UDP"), True),
            ("egress", Traffic(address="169.254.20.10", port=53), True),
            ("egress", Traffic(address="203.0.113.9", port=443), True),
            ("egress", Traffic(address="10.1.2.3", port=8080), True),
            ("egress", Traffic(address="2001:db8::9", port=443), True),
            ("egress", Traffic(address="169.254.169.254", port=80), False),
            ("egress", Traffic(address="fd00:ec2::254", port=80), False),
            ("egress", Traffic(address="fe80::1", port=80), False),
            ("egress", Traffic(address="203.0.113.9", port=443, protocol="UDP"), False),
        ],
    )
    def test_the_network_policy_lets_through_what_is_needed(
        self, name: str, direction: str, traffic: Traffic, passes: bool
    ) -> None:
        """Prometheus in; names and targets out, but not where clouds hand out credentials."""
        policy = only(name, "NetworkPolicy")["spec"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert admits(policy, direction, traffic) is passes


class TestFit:
    """That names, ports, paths and labels meet."""

    @every_overlay
    def test_the_image_is_the_one_of_this_version(self, name: str) -> None:
        (container,) = pod_of(overlay(name))["containers"]
        assert container["image"] == f"ws-monitor:{__version__}"

    @every_overlay
    def test_the_config_lies_where_the_program_looks_for_it_and_is_sound(self, name: str) -> None:
        pod = pod_of(overlay(name))
        (container,) = pod["containers"]
        path = Path(container["args"][container["args"].index("--config") + 1])
        (mount,) = (x for x in container["volumeMounts"] if x["mountPath"] == str(path.parent))
        (volume,) = (x for x in pod["volumes"] if x["name"] == mount["name"])
        (config_map,) = (
            each
            for each in of_kind(overlay(name), "ConfigMap")
            if each["metadata"]["name"] == volume["configMap"]["name"]
        )
        config = parse_config(config_map["data"][path.name], path.name)
        assert config.probes
        assert config.web.listen.host == "0.0.0.0"
        assert {"containerPort": config.web.listen.port, "name": "http"} in container["ports"]

    @every_overlay
    def test_the_secret_lies_where_the_configs_example_says(self, name: str) -> None:
        (container,) = pod_of(overlay(name))["containers"]
        (mount,) = (x for x in container["volumeMounts"] if x["name"] == "secrets")
        (config,) = (
            each["data"]["config.yaml"]
            for each in of_kind(overlay(name), "ConfigMap")
            if "config.yaml" in each["data"]
        )
        files = re.findall(r"\{file: (\S+)/[^/\s]+\}", config)
        assert files == [mount["mountPath"]]

    @every_overlay
    def test_the_probes_ask_for_pages_that_there_are(self, name: str) -> None:
        (container,) = pod_of(overlay(name))["containers"]
        asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in PROBES}
        assert {ask["path"] for ask in asked.values()} <= {route.path for route in ROUTES}
        assert {ask["port"] for ask in asked.values()} == {"http"}
        # A target that is down must not restart the monitor that says so.
        assert asked["liveness"]["path"] == asked["startup"]["path"] == "/-/healthy"
        assert asked["readiness"]["path"] == "/-/ready"

    @every_overlay
    def test_each_selector_finds_what_it_is_meant_for(self, name: str) -> None:
        workload = workload_of(overlay(name))
        pod_labels = workload["spec"]["template"]["metadata"]["labels"]
        for kind, where in (
            (workload["kind"], ("selector", "matchLabels")),
            ("Service", ("selector",)),
            ("PodDisruptionBudget", ("selector", "matchLabels")),
            ("NetworkPolicy", ("podSelector", "matchLabels")),
        ):
            labels = only(name, kind)["spec"]
            for key in where:
                labels = labels[key]
            assert labels
            assert labels.items() <= pod_labels.items(), kind
        account = pod_of(overlay(name))["serviceAccountName"]
        assert only(name, "ServiceAccount")["metadata"]["name"] == account

    def test_the_service_monitor_finds_the_service_under_the_job_name_of_the_alerts(self) -> None:
        spec = only("prometheus-operator", "ServiceMonitor")["spec"]
        service = only("prometheus-operator", "Service")
        assert spec["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        (endpoint,) = spec["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        rules = only("prometheus-operator", "PrometheusRule")["spec"]["groups"]
        jobs = set(re.findall(r'job="([^"]*)"', json.dumps(rules).replace('\\"', '"')))
        assert jobs == {service["metadata"]["labels"][spec["jobLabel"]]}

    def test_no_label_of_a_target_hides_one_of_a_metric(self) -> None:
        (endpoint,) = only("prometheus-operator", "ServiceMonitor")["spec"]["endpoints"]
        dropped = {
            label
            for label in OPERATOR_LABELS
            for relabeling in endpoint["relabelings"]
            if relabeling.get("action") == "labeldrop" and re.fullmatch(relabeling["regex"], label)
        }
        assert (OPERATOR_LABELS - dropped) & RESERVED_LABELS == set()
        assert endpoint["honorLabels"] is True

    def test_the_rules_are_those_of_the_project(self) -> None:
        files = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
        groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
        rule = only("prometheus-operator", "PrometheusRule")
        assert rule["spec"]["groups"] == groups
        names = [group["name"] for group in groups]
        assert len(names) == len(set(names))

    def test_the_dashboards_are_those_of_the_project_and_the_sidecar_finds_them(self) -> None:
        maps = of_kind(overlay("prometheus-operator"), "ConfigMap")
        shown = [
            (name, text)
            for each in maps
            if each["metadata"]["labels"].get("grafana_dashboard") == "1"
            for name, text in each["data"].items()
        ]
        files = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
        assert sorted(shown) == [(f"ws-monitor-{file.name}", file.read_text()) for file in files]


class TestShards:
    """Several pods that share the probes."""

    @pytest.fixture
    def with_operator(self, tmp_path: Path) -> tuple[Manifest, ...]:
        """The shards over the overlay for the operator, as docs/scaling.md shows it."""
        (text,) = re.findall(r"^```yaml\n# kustomization\.yaml\n(.*?)^```", SCALING, BLOCK)
        here = os.path.relpath(KUBERNETES, tmp_path)
        (tmp_path / "kustomization.yaml").write_text(
            text.replace("ws-monitor/deploy/kubernetes", here)
        )
        return tuple(render(tmp_path))

    def test_the_count_that_each_pod_is_told_is_the_number_of_pods(self) -> None:
        spec = only("sharded", "StatefulSet")["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        told = {each["name"]: each["value"] for each in container["env"]}
        names = (f"ws-monitor-{ordinal}" for ordinal in range(spec["replicas"]))
        shards = [place_of(told, name).shard for name in names]
        assert shards == [Shard(index, spec["replicas"]) for index in range(spec["replicas"])]
        assert spec["replicas"] >= 2

    def test_an_update_is_a_rolling_one_that_leaves_each_pod_time_to_connect(self) -> None:
        spec = only("sharded", "StatefulSet")["spec"]
        assert spec["updateStrategy"] == {"type": "RollingUpdate"}
        # With `Parallel`, the controller does not wait for `minReadySeconds` in an update.
        assert spec["podManagementPolicy"] == "OrderedReady"
        assert spec["minReadySeconds"] * Connect().per_second >= 1000
        assert "strategy" not in spec

    def test_each_pod_has_a_name_and_is_scraped_by_it(self) -> None:
        service = only("sharded", "Service")
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"] is True
        assert only("sharded", "StatefulSet")["spec"]["serviceName"] == service["metadata"]["name"]
        (port,) = service["spec"]["ports"]
        name = f"_{port['name']}._tcp.{service['metadata']['name']}.ws-monitor.svc"
        assert f"names: [{name}]" in SCALING

    def test_pods_keep_off_each_other_s_nodes_where_they_can(self) -> None:
        workload = only("sharded", "StatefulSet")
        (spread,) = pod_of(overlay("sharded"))["topologySpreadConstraints"]
        assert spread["topologyKey"] == "kubernetes.io/hostname"
        assert spread["labelSelector"] == workload["spec"]["selector"]

    def test_the_rest_of_the_pod_is_that_of_the_single_monitor(self) -> None:
        alone, shared = (copy.deepcopy(pod_of(overlay(name))) for name in ("single", "sharded"))
        del shared["topologySpreadConstraints"]
        del shared["containers"][0]["env"]
        assert shared == alone

    def test_the_operator_tells_the_pods_apart(self, with_operator: tuple[Manifest, ...]) -> None:
        (monitor,) = of_kind(with_operator, "ServiceMonitor")
        (endpoint,) = monitor["spec"]["endpoints"]
        (instance,) = (
            each for each in endpoint["relabelings"] if each.get("targetLabel") == "instance"
        )
        assert instance["sourceLabels"] == ["__meta_kubernetes_pod_name"]
        assert as_operator_reads(monitor) == monitor
        assert workload_of(with_operator)["kind"] == "StatefulSet"


def place_of(environ: dict[str, str], host: str) -> Place:
    """What the monitor makes of a pod's environment and name."""
    return read_place(
        environ["WS_MONITOR_SHARD"],
        environ["WS_MONITOR_REPLICATION"],
        "",
        environ=environ,
        hostname=lambda: host,
    )


def examples() -> Iterator[tuple[str, str]]:
    """Each file of the page's example: its name, which is its first line, and its text."""
    for block in re.findall(r"^```yaml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL):
        first, _, rest = block.partition("\n")
        if named := re.fullmatch(r"# (\S+\.yaml)", first):
            yield named[1], rest


class TestTheClosedPort:
    """The component that closes the web port."""

    @pytest.mark.parametrize("over", OVERLAYS)
    def test_it_fits_every_overlay(self, over: str, tmp_path: Path) -> None:
        objects = with_component("closed-port", over, tmp_path)
        plain = [each for each in objects if each["kind"] not in OPERATOR]
        problems = {each["kind"]: problems_of(each, KUBERNETES_VERSIONS[-1]) for each in plain}
        assert {kind: problem for kind, problem in problems.items() if problem} == {}
        for each in objects:
            if each["kind"] in OPERATOR:
                assert as_operator_reads(each) == each
        pod = pod_of(objects)
        assert violations(pod) == []
        (container,) = pod["containers"]
        schemes = {container[f"{kind}Probe"]["httpGet"]["scheme"] for kind in PROBES}
        assert schemes == {"HTTPS"}

    def test_prometheus_asks_for_the_name_that_the_page_wants_in_the_certificate(
        self, tmp_path: Path
    ) -> None:
        objects = with_component("closed-port", "prometheus-operator", tmp_path)
        (monitor,) = of_kind(objects, "ServiceMonitor")
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["scheme"] == "https"
        assert f"`{endpoint['tlsConfig']['serverName']}`" in DOCS


def additions() -> list[str]:
    """Each part of the page that may be added to the example's kustomization."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if set(yaml.safe_load(block)) <= {"patches", "components"}]


def render_example(directory: Path, addition: str = "") -> list[Manifest]:
    """Return the objects of the kustomization that the page shows, with an addition to it."""
    here = os.path.relpath(KUBERNETES, directory)
    for name, text in examples():
        whole = text + addition if name == "kustomization.yaml" else text
        (directory / name).write_text(whole.replace("ws-monitor/deploy/kubernetes", here))
    return render(directory)


class TestThePage:
    """What docs/kubernetes.md tells a user to do."""

    @pytest.fixture
    def own(self, tmp_path: Path) -> list[Manifest]:
        """The objects of the kustomization that the page shows."""
        return render_example(tmp_path)

    @pytest.mark.parametrize("addition", additions())
    def test_what_it_adds_to_the_kustomization_fits_and_does_something(
        self, addition: str, own: list[Manifest], tmp_path: Path
    ) -> None:
        changed = render_example(tmp_path, addition)
        plain = [each for each in changed if each["kind"] not in OPERATOR]
        problems = {each["kind"]: problems_of(each, KUBERNETES_VERSIONS[-1]) for each in plain}
        assert {kind: problem for kind, problem in problems.items() if problem} == {}
        assert violations(pod_of(tuple(changed))) == []
        assert changed != own

    def test_it_shows_how_to_add_a_label_memory_and_a_closed_port(self) -> None:
        assert len(additions()) >= 3

    def test_its_kustomization_renders_to_valid_objects(self, own: list[Manifest]) -> None:
        plain = [each for each in own if each["kind"] not in OPERATOR]
        problems = {each["kind"]: problems_of(each, KUBERNETES_VERSIONS[-1]) for each in plain}
        assert {kind: problem for kind, problem in problems.items() if problem} == {}
        assert violations(pod_of(tuple(own))) == []

    def test_its_config_takes_the_place_of_ours(self, own: list[Manifest]) -> None:
        (volume,) = (each for each in pod_of(tuple(own))["volumes"] if "configMap" in each)
        (config_map,) = (
            each
            for each in of_kind(own, "ConfigMap")
            if each["metadata"]["name"] == volume["configMap"]["name"]
        )
        config = parse_config(config_map["data"]["config.yaml"], "config.yaml")
        theirs = parse_config(dict(examples())["config.yaml"], "config.yaml")
        assert [probe.name for probe in config.probes] == [probe.name for probe in theirs.probes]

    def test_its_image_takes_the_place_of_ours(self, own: list[Manifest]) -> None:
        (container,) = pod_of(tuple(own))["containers"]
        assert re.fullmatch(rf"[^/]+\.[^/]+/.*ws-monitor:{__version__}", container["image"])

    def test_it_names_the_versions_that_are_tested(self) -> None:
        assert f"{KUBERNETES_VERSIONS[0]} to {KUBERNETES_VERSIONS[-1]}" in DOCS
