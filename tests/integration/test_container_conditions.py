"""The program under the conditions that its manifest puts it in: see `container`."""

import errno
import json
import re
import signal
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from tests.integration.container import IS_ROOT, Container, PodSpec, lay_out_volume
from tests.integration.harness import Lab, wait_until
from tests.integration.harness.program import ROOT
from tests.integration.kustomize import of_kind, overlay, with_component

KEY = "a.key.of-somebody"

STOPS_WITHIN = 5.0
"""Seconds; what the manifest's comment on its grace period says."""

TLS_PROBES = 300
"""What the manifest's comment on its memory limit says it is enough for."""

TARGET_PORT = 20000

FORBIDDEN_CALL = """\
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.vmsplice(os.pipe()[1], None, 0, 0), ctypes.get_errno())
"""
"""Does nothing, and succeeds wherever no seccomp profile forbids it."""

CONNECTED_AT = "ws_probe_connection_start_timestamp_seconds"
RELOADED_WELL = "ws_monitor_config_last_reload_successful"

Start = Callable[..., Container]


@pytest.fixture(scope="module")
def spec() -> PodSpec:
    """The pod of the overlay `single`."""
    (deployment,) = of_kind(overlay("single"), "Deployment")
    return PodSpec(deployment["spec"]["template"]["spec"])


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """The config in the ConfigMap of the overlay `single`."""
    (config_map,) = of_kind(overlay("single"), "ConfigMap")
    return yaml.safe_load(config_map["data"]["config.yaml"])


@pytest.fixture
def volumes(tmp_path: Path, spec: PodSpec, config: dict[str, Any]) -> dict[str, Path]:
    """The volumes of the pod: the ConfigMap as it is, and no Secret."""
    found = {volume["name"]: tmp_path / volume["name"] for volume in spec.pod["volumes"]}
    lay_out_volume(found["config"], {"config.yaml": yaml.safe_dump(config)}, 0o644, 0)
    found["secrets"].mkdir()
    return found


@pytest.fixture
def start(lab: Lab, spec: PodSpec, volumes: dict[str, Path]) -> Iterator[Start]:
    """Start containers of the pod, and end them."""
    containers: list[Container] = []

    def start(**arguments: Any) -> Container:
        containers.append(Container(lab, spec, volumes, **arguments))
        return containers[-1]

    yield start
    for container in containers:
        container.end()


def status_of(text: str) -> dict[str, str]:
    """Return the fields of a /proc/PID/status."""
    return {key: value.strip() for key, _, value in (x.partition(":") for x in text.splitlines())}


class TestTheContainer:
    """That the conditions are what they are said to be."""

    async def test_it_has_the_user_and_the_privileges_of_the_manifest(self, start: Start) -> None:
        container = start(program=["cat", "/proc/self/status"])
        assert await container.program.wait() == 0, container.program.err
        status = status_of(container.program.out)
        assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"65532"}
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2", "system calls are filtered"
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[capabilities], 16) == 0
        if IS_ROOT:
            assert status["Groups"].split() == ["65532"]

    async def test_it_has_the_runtimes_seccomp_profile(self, start: Start) -> None:
        container = start(program=[sys.executable, "-c", FORBIDDEN_CALL])
        assert await container.program.wait() == 0, container.program.err
        assert container.program.out.split() == ["-1", str(errno.EPERM)]

    async def test_it_can_write_nowhere(self, start: Start) -> None:
        places = ["/", "/etc", "/etc/ws-monitor", "/run/secrets/ws-monitor", "/usr", "/dev"]
        places.append(str(ROOT / "monitor"))
        container = start(program=["touch", *(f"{place}/written" for place in places)])
        assert await container.program.wait() == 1
        refusals = container.program.err.splitlines()
        assert len(refusals) == len(places)
        assert [line for line in refusals if "Read-only" not in line and "denied" not in line] == []

    async def test_its_memory_is_limited(self, start: Start, spec: PodSpec) -> None:
        use_more = f"b'x' * {spec.memory + 2**20}"
        container = start(program=[sys.executable, "-c", use_more])
        assert await container.program.wait() != 0
        assert container.memory.was_hit or "MemoryError" in container.program.err


class TestTheMonitorInIt:
    """The manifest's own program, arguments, config and probes."""

    async def test_it_starts_and_watches_without_a_complaint(self, start: Start) -> None:
        container = start()
        await container.started()
        assert await container.probe("livenessProbe")
        await container.watches()
        assert container.complaints() == []
        assert container.program.out == ""
        assert not container.memory.was_hit

    async def test_a_stop_ends_it_well_within_its_grace_period(
        self, start: Start, spec: PodSpec
    ) -> None:
        container = start()
        await container.started()
        began = time.monotonic()
        container.signal(signal.SIGTERM)
        assert await container.program.wait(within=spec.grace) == 0
        assert time.monotonic() - began < STOPS_WITHIN
        assert spec.grace >= 2 * STOPS_WITHIN

    async def test_the_liveness_probe_fails_while_it_stands_still_and_only_then(
        self, start: Start
    ) -> None:
        container = start()
        await container.started()
        container.signal(signal.SIGSTOP)
        assert not await container.probe("livenessProbe")
        container.signal(signal.SIGCONT)
        await wait_until(lambda: container.probe("livenessProbe"), what="it is well again")

    async def test_a_secret_that_comes_later_is_used_without_a_restart(
        self, start: Start, volumes: dict[str, Path], config: dict[str, Any]
    ) -> None:
        (probe,) = config["probes"]
        key = "/run/secrets/ws-monitor/talo-api-key"
        changed = {
            **probe,
            "ticket": {"api_key": {"file": key}},
            "reconnect": {"base": "100ms", "max": "500ms"},
        }
        target = {**config["embedded_target"], "api_key": {"env": "TARGET_KEY"}}
        text = yaml.safe_dump({**config, "probes": [changed], "embedded_target": target})
        lay_out_volume(volumes["config"], {"config.yaml": text}, 0o644, 0)
        container = start(env={"TARGET_KEY": KEY})
        await container.started()

        async def failed() -> bool:
            return "local" in (await container.scrape()).probe(probe["name"]).failures

        async def up() -> bool:
            return bool((await container.scrape()).probe(probe["name"]).up)

        await wait_until(failed, what="an attempt without the Secret fails")
        assert await container.probe("readinessProbe")
        lay_out_volume(volumes["secrets"], {"talo-api-key": KEY}, 0o440, 65532)
        await wait_until(up, what="the probe is up")
        assert KEY not in container.program.err

    async def test_its_memory_is_enough_for_as_many_probes_as_promised(
        self, lab: Lab, start: Start, volumes: dict[str, Path], tmp_path: Path
    ) -> None:
        authority = trustme.CA()
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
        probes = [
            {
                "name": f"p{number}",
                "url": f"wss://127.0.0.1:{TARGET_PORT}/",
                "protocol": "text",
                "text": {"send": "{id}"},
                "heartbeat": {"interval": "5s", "timeout": "5s"},
                "tls": {"ca_file": "ca.pem"},
                "reconnect": {"base": "100ms", "max": "1s"},
            }
            for number in range(TLS_PROBES)
        ]
        files = {
            "config.yaml": yaml.safe_dump({"probes": probes}),
            "ca.pem": authority.cert_pem.bytes().decode(),
        }
        lay_out_volume(volumes["config"], files, 0o644, 0)
        container = start()
        await container.started()
        pem = str(tmp_path / "server.pem")
        server = ("-m", "benchmarks.programs.echo_server", "--port", str(TARGET_PORT))
        lab.program(*container.alongside(sys.executable, *server, "--cert", pem, "--key", pem))

        async def all_beat() -> bool:
            scrape = await container.scrape()
            return all(scrape.probe(name).message.echoed >= 2 for name in scrape.probes)

        await wait_until(all_beat, what=f"{TLS_PROBES} probes beat", within=60)
        assert not container.memory.was_hit
        assert await container.probe("livenessProbe")
        # Some of it must be left, for a page that is being written and for busier times.
        assert container.memory_in_use() < 0.9 * container.spec.memory


class TestAChangedConfigMap:
    """What the kubelet swaps under the running program."""

    async def test_it_is_in_force_without_a_restart_and_leaves_other_probes_alone(
        self, start: Start, volumes: dict[str, Path], config: dict[str, Any]
    ) -> None:
        container = start()
        await container.started()
        await container.watches()
        (old,) = config["probes"]
        pid = container.pid
        connected = (await container.scrape()).probe(old["name"]).value(CONNECTED_AT)
        two = {**config, "probes": [old, {**old, "name": "another"}]}
        lay_out_volume(volumes["config"], {"config.yaml": json.dumps(two)}, 0o644, 0)

        async def another_is_up() -> bool:
            scrape = await container.scrape()
            return "another" in scrape.probes and bool(scrape.probe("another").up)

        await wait_until(another_is_up, what="the added probe is up")
        assert (await container.scrape()).probe(old["name"]).value(CONNECTED_AT) == connected
        assert container.pid == pid
        assert container.complaints() == []

    async def test_one_that_is_wrong_changes_nothing(
        self, start: Start, volumes: dict[str, Path], config: dict[str, Any]
    ) -> None:
        container = start()
        await container.started()
        await container.watches()
        wrong = {**config, "probes": [{"name": "without-a-url"}]}
        lay_out_volume(volumes["config"], {"config.yaml": yaml.safe_dump(wrong)}, 0o644, 0)

        async def refused() -> bool:
            return (await container.scrape()).value(RELOADED_WELL) == 0

        await wait_until(refused, what="the config is refused")
        scrape = await container.scrape()
        assert list(scrape.probes) == [probe["name"] for probe in config["probes"]]
        assert await container.probe("readinessProbe")
        await container.watches()


class TestTheClosedPort:
    """The component `closed-port`, with the web config that docs/kubernetes.md shows."""

    async def test_the_kubelets_probes_pass_and_others_need_the_password(
        self, lab: Lab, config: dict[str, Any], tmp_path: Path
    ) -> None:
        objects = with_component("closed-port", "single", tmp_path)
        (deployment,) = of_kind(objects, "Deployment")
        spec = PodSpec(deployment["spec"]["template"]["spec"])
        volumes = {volume["name"]: tmp_path / volume["name"] for volume in spec.pod["volumes"]}
        lay_out_volume(volumes["config"], {"config.yaml": yaml.safe_dump(config)}, 0o644, 0)
        volumes["secrets"].mkdir()
        lay_out_volume(volumes["web"], web_secret(), 0o440, 65532)
        container = Container(lab, spec, volumes)
        try:
            await container.started()
            assert await container.probe("livenessProbe")
            assert container.complaints() == []
            assert await container.get("/metrics") is None, "it speaks HTTP without TLS"
            stranger = await container.get("/metrics", scheme="HTTPS")
            login = {"Authorization": "Basic " + b64encode(b"prometheus:change me").decode()}
            prometheus = await container.get("/metrics", scheme="HTTPS", headers=login)
            assert stranger is not None
            assert prometheus is not None
            assert (stranger.status, prometheus.status) == (401, 200)
        finally:
            container.end()


def web_secret() -> dict[str, str]:
    """The Secret's files: the page's web config, and a certificate for it."""
    page = (ROOT / "docs/kubernetes.md").read_text()
    (text,) = re.findall(r"^```yaml\n# web\.config\.yml\n(.*?)^```", page, re.M | re.S)
    certificate = trustme.CA().issue_cert("ws-monitor.ws-monitor.svc")
    return {
        "web.config.yml": text,
        "tls.key": certificate.private_key_pem.bytes().decode(),
        "tls.crt": "".join(pem.bytes().decode() for pem in certificate.cert_chain_pems),
    }
