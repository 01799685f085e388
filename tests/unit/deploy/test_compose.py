"""compose.yaml, as far as it shows without an engine: schema, paths, versions, references."""

import re
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from compose_spec import PyCompose

from monitor import __version__
from monitor.config import load_config
from tests.unit.project.tree import ROOT, name_of, tracked_files

TEXT = (ROOT / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
NAMED_VOLUMES = set(yaml.safe_load(TEXT)["volumes"])
MOUNTS = [
    (service, *mount.split(":"))
    for service, said in SERVICES.items()
    for mount in said.get("volumes", ())
]
OURS = f"ws-monitor:{__version__}"


def option(command: list[str], name: str) -> str:
    """The value of an option on a command line."""
    return command[command.index(name) + 1]


def mounted(service: str, target: str) -> Path:
    """What of the project lies at a path in a service's container."""
    for name, source, at, *_ in MOUNTS:
        if name == service and (target == at or target.startswith(f"{at}/")):
            return ROOT / source / target.removeprefix(at).lstrip("/")
    raise AssertionError(f"nothing is mounted at {target} in {service}")


class TestTheFile:
    """The file by itself."""

    def test_it_is_a_compose_file(self) -> None:
        assert PyCompose.from_yaml(TEXT).service_names() == list(SERVICES)

    def test_a_misspelt_key_would_be_noticed(self) -> None:
        with pytest.raises(ValueError, match="read_onyl"):
            PyCompose.from_yaml(TEXT.replace("read_only", "read_onyl", 1))

    @pytest.mark.parametrize("service", SERVICES)
    def test_each_image_is_pinned_to_a_release(self, service: str) -> None:
        image = SERVICES[service]["image"]
        assert image == OURS or re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", image)

    @pytest.mark.parametrize(
        ("service", "source", "target", "mode"),
        [mount for mount in MOUNTS if mount[1] not in NAMED_VOLUMES],
    )
    def test_what_is_mounted_is_the_projects_and_cannot_be_written_to(
        self, service: str, source: str, target: str, mode: str
    ) -> None:
        path = (ROOT / source).resolve()
        assert any(file.is_relative_to(path) for file in tracked_files()), service
        assert Path(target).is_absolute()
        assert mode == "ro"

    @pytest.mark.parametrize("service", SERVICES)
    def test_nothing_listens_beyond_this_machine(self, service: str) -> None:
        ports = SERVICES[service]["ports"]
        assert [port for port in ports if not port.startswith("127.0.0.1:")] == []

    @pytest.mark.parametrize(
        "service", [name for name, said in SERVICES.items() if said["image"] == OURS]
    )
    def test_ours_run_with_as_little_as_in_kubernetes(self, service: str) -> None:
        said = SERVICES[service]
        assert said["read_only"] is True
        assert said["cap_drop"] == ["ALL"]
        assert said["security_opt"] == ["no-new-privileges:true"]


class TestItsParts:
    """Each finds the others."""

    def test_the_monitor_watches_the_target_and_has_its_key(self) -> None:
        config = load_config(mounted("monitor", "/etc/ws-monitor/config.yaml"))
        (probe,) = config.probes
        url = urlsplit(probe.read_url())
        command = SERVICES["target"]["command"]
        assert url.hostname == "target"
        assert option(command, "--listen") == f"0.0.0.0:{url.port}"
        assert probe.ticket is not None
        assert probe.ticket.api_key.env in SERVICES["monitor"]["environment"]
        assert (
            f"127.0.0.1:{config.web.listen.port}:{config.web.listen.port}"
            in (SERVICES["monitor"]["ports"])
        )

    def test_the_faults_that_its_heading_switches_on_can_be_reached(self) -> None:
        (port,) = re.findall(r"curl -X PUT localhost:(\d+)/faults", TEXT)
        assert SERVICES["target"]["ports"] == [f"127.0.0.1:{port}:{port}"]
        assert option(SERVICES["target"]["command"], "--control") == f"0.0.0.0:{port}"
        assert "--expose-control" in SERVICES["target"]["command"]

    def test_prometheus_scrapes_the_monitor_as_the_alerts_expect_it(self) -> None:
        said = yaml.safe_load(mounted("prometheus", "/etc/prometheus/prometheus.yml").read_text())
        (scrape,) = said["scrape_configs"]
        example = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
        (ours,) = (each for each in example["scrape_configs"] if each["job_name"] == "ws-monitor")
        assert scrape == {**ours, "static_configs": [{"targets": ["monitor:10440"]}]}

    def test_prometheus_loads_every_rule(self) -> None:
        said = yaml.safe_load(mounted("prometheus", "/etc/prometheus/prometheus.yml").read_text())
        (pattern,) = said["rule_files"]
        directory = mounted("prometheus", str(Path(pattern).parent))
        assert directory == ROOT / "deploy/prometheus/rules"
        assert set(directory.glob(Path(pattern).name)) == {
            path for path in tracked_files() if path.parent == directory
        }

    def test_prometheus_tells_the_alertmanager(self) -> None:
        said = yaml.safe_load(mounted("prometheus", "/etc/prometheus/prometheus.yml").read_text())
        (alertmanager,) = said["alerting"]["alertmanagers"]
        assert alertmanager == {"static_configs": [{"targets": ["alertmanager:9093"]}]}
        assert mounted("alertmanager", "/etc/alertmanager/alertmanager.yml").is_file()

    def test_grafana_asks_prometheus_as_often_as_that_scrapes(self) -> None:
        provisioning = mounted("grafana", "/etc/grafana/provisioning")
        (file,) = (provisioning / "datasources").glob("*.yaml")
        environment = SERVICES["grafana"]["environment"]
        (source,) = yaml.safe_load(Template(file.read_text()).substitute(environment))[
            "datasources"
        ]
        assert source["type"] == "prometheus"
        assert source["url"] == "http://prometheus:9090"
        said = yaml.safe_load(mounted("prometheus", "/etc/prometheus/prometheus.yml").read_text())
        assert source["jsonData"]["timeInterval"] == said["global"]["scrape_interval"]

    def test_grafana_shows_every_dashboard(self) -> None:
        provisioning = mounted("grafana", "/etc/grafana/provisioning")
        (file,) = (provisioning / "dashboards").glob("*.yaml")
        (provider,) = yaml.safe_load(file.read_text())["providers"]
        directory = mounted("grafana", provider["options"]["path"])
        shown = sorted(name_of(path) for path in directory.glob("*.json"))
        assert shown == sorted(
            name
            for name in map(name_of, tracked_files())
            if name.startswith("grafana/") and name.endswith(".json")
        )
