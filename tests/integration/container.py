"""A pod's container without a container engine: what Kubernetes and a runtime make of its manifest.

Namespaces of its own (mount, pid, network, ipc), a root file system put together from mounts, the
user, the groups and the capabilities that the manifest says, its volumes as the kubelet lays them
out, and its memory limit by a cgroup. Made with util-linux, as root or in a user namespace.

Its files are this machine's, unless it is given an image.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.harness import WS_MONITOR, Lab, wait_until
from tests.integration.harness.http import Answer
from tests.integration.harness.metrics import Scrape
from tests.integration.harness.program import ROOT, Program
from tests.integration.seccomp import LOAD, write_filter

IS_ROOT = os.geteuid() == 0
DEVICES = ("null", "zero", "full", "random", "urandom")

TOOLS = ("umount", "setpriv", "env", "unshare")
"""What a runtime does by itself inside the new root, where an image need have nothing."""

TOOLS_AT = "/.runtime"
FILTER = "seccomp.bpf"

UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

NAMESPACES = ["--mount", "--pid", "--fork", "--net", "--ipc", "--uts"]

LOOPBACK_UP = (
    "import fcntl, socket, struct; "
    "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x1))"
)

GET = """\
import http.client, json, ssl, sys
scheme, port, path, patience, headers = sys.argv[1:]
at, patience = ("127.0.0.1", int(port)), float(patience)
if scheme == "HTTPS":
    unverified = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(*at, timeout=patience, context=unverified)
else:
    connection = http.client.HTTPConnection(*at, timeout=patience)
connection.request("GET", path, headers=json.loads(headers))
answer = connection.getresponse()
print(json.dumps([answer.status, answer.read().decode()]))
"""
"""Like the kubelet it takes any certificate."""


def bytes_of(quantity: str) -> int:
    """Return the bytes of a Kubernetes quantity such as 256Mi."""
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


@dataclass(frozen=True, slots=True)
class Image:
    """What a container runs.

    Attributes:
        entrypoint: the program, before the manifest's arguments.
        env: its variables.
        python: an interpreter in it.
        root: its files; None for this machine's.
    """

    entrypoint: Sequence[str]
    env: Mapping[str, str]
    python: str
    root: Path | None = None


THIS_MACHINE = Image(
    entrypoint=[WS_MONITOR],
    env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
    python=sys.executable,
)
"""As the Dockerfile has it, but with the files that are here."""


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What a pod's specification says of its one container."""

    pod: Mapping[str, Any]

    @property
    def container(self) -> Mapping[str, Any]:
        """The container's part."""
        (container,) = self.pod["containers"]
        return dict(container)

    @property
    def memory(self) -> int:
        """The memory limit in bytes."""
        return bytes_of(self.container["resources"]["limits"]["memory"])

    @property
    def port(self) -> int:
        """The one port."""
        (port,) = self.container["ports"]
        return int(port["containerPort"])

    @property
    def grace(self) -> float:
        """Seconds from SIGTERM to SIGKILL."""
        return float(self.pod["terminationGracePeriodSeconds"])

    def privileges(self) -> list[str]:
        """Return options of setpriv(1) for the privileges that the manifest leaves."""
        security, own = self.pod["securityContext"], self.container["securityContext"]
        options = ["--inh-caps=-all", "--ambient-caps=-all"]
        if own["capabilities"]["drop"] == ["ALL"]:
            options.append("--bounding-set=-all")
        if own["allowPrivilegeEscalation"] is False:
            options.append("--no-new-privs")
        if IS_ROOT:
            options += [
                f"--reuid={security['runAsUser']}",
                f"--regid={security['runAsGroup']}",
                f"--groups={security['fsGroup']}",
            ]
        return options


def lay_out_volume(directory: Path, files: Mapping[str, str], mode: int, group: int) -> None:
    """Write a ConfigMap's or a Secret's files as the kubelet does: behind a link it can swap."""
    directory.mkdir(exist_ok=True)
    content = directory / f"..{time.monotonic_ns()}"
    content.mkdir()
    for name, text in files.items():
        path = content / name
        path.write_text(text)
        path.chmod(mode)
        if IS_ROOT:
            os.chown(path, 0, group)
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    new = directory / "..data_tmp"
    new.symlink_to(content.name)
    new.rename(directory / "..data")


def libraries_of(programs: Iterable[Path]) -> Iterator[Path]:
    """Yield the shared libraries that programs are linked with, the loader among them."""
    for program in programs:
        listing = subprocess.run(["ldd", program], check=True, capture_output=True, text=True)
        for path in re.findall(r"(/\S+) \(0x", listing.stdout):
            yield Path(path)


def lay_out_tools(directory: Path) -> None:
    """Copy `TOOLS` and the libraries that they need; add the seccomp filter."""
    directory.mkdir()
    programs = [Path(str(shutil.which(name))) for name in TOOLS]
    for path in {*programs, *libraries_of(programs)}:
        shutil.copy(path, directory)
    write_filter(directory / FILTER)


def tool(directory: Path, name: str) -> list[str]:
    """Return the words that run a tool out of a directory that is at `TOOLS_AT`."""
    (loader,) = directory.glob("ld-*")
    at = Path(TOOLS_AT)
    return [str(at / loader.name), "--library-path", TOOLS_AT, str(at / name)]


class RootFileSystem:
    """The shell lines that put a container's root together, as the runtime would.

    Args:
        root: where; an empty directory.
        image: an image's files to begin with, which get the places to mount at; else nothing.
    """

    def __init__(self, root: Path, image: Path | None = None) -> None:
        self._root = root
        at = shlex.quote(str(root))
        begin = (
            "-t tmpfs -o mode=755 tmpfs" if image is None else f"--bind {shlex.quote(str(image))}"
        )
        self.lines = [f"mount {begin} {at}"]

    def _at(self, target: str) -> str:
        return shlex.quote(f"{self._root}{target}")

    def bind(self, source: str, target: str, *, read_only: bool = True) -> None:
        """Show a file or directory of this machine."""
        at = self._at(target)
        directory = Path(source).is_dir()
        self.lines += [
            f"mkdir -p {at}" if directory else f"mkdir -p $(dirname {at}); : >{at}",
            f"mount --bind {shlex.quote(source)} {at}",
        ]
        if read_only:
            self.lines.append(f"mount -o remount,bind,ro {at}")

    def add_this_machine(self) -> None:
        """Add what would be in an image: Python, the packages and the program, in their places."""
        trees = {"/usr", "/etc/ssl", sys.base_prefix, sys.prefix, str(ROOT / "monitor")}
        for tree in sorted(trees):
            self.bind(tree, tree)
        for name in ("/bin", "/sbin", "/lib", "/lib64"):
            if Path(name).is_symlink():
                self.lines.append(f"ln -s {os.readlink(name)} {self._at(name)}")
            elif Path(name).exists():
                self.bind(name, name)

    def add_what_every_container_has(self) -> None:
        """Add processes, devices, and the name of the loopback."""
        self.lines.append(f"echo '127.0.0.1 localhost' >{self._at('/etc/hosts')}")
        proc = self._at("/proc")
        self.lines.append(f"mkdir -p {proc}; mount -t proc proc {proc}")
        for device in DEVICES:
            self.bind(f"/dev/{device}", f"/dev/{device}", read_only=False)

    def make_read_only(self) -> None:
        """Allow no change from here on."""
        self.lines.append(f"mount -o remount,bind,ro {shlex.quote(str(self._root))}")


def enter(root: Path, umount: Sequence[str] = ("umount",)) -> list[str]:
    """Return the shell lines that make a mount the root, and forget the old one.

    Not chroot(1): it would forbid a user namespace inside, which we need where we are not root.
    """
    return [
        "PATH=$PATH:/usr/sbin",
        f"cd {shlex.quote(str(root))}",
        "pivot_root . .",
        shlex.join([*umount, "-l", "."]),
    ]


def root_of(
    spec: PodSpec, image: Image, root: Path, tools: Path, volumes: Mapping[str, Path]
) -> list[str]:
    """Return the shell lines for the root of a pod's container."""
    made = RootFileSystem(root, image.root)
    if image.root is None:
        made.add_this_machine()
    made.add_what_every_container_has()
    made.bind(str(tools), TOOLS_AT)
    for mount in spec.container["volumeMounts"]:
        source = str(volumes[mount["name"]])
        made.bind(source, mount["mountPath"], read_only=mount["readOnly"])
    if spec.container["securityContext"]["readOnlyRootFilesystem"]:
        made.make_read_only()
    return made.lines


class MemoryLimit:
    """A limit on the memory of processes that begin through `wrapper`.

    By a cgroup of either version, as a runtime does it. Who may not make one gets a limit on
    writable memory instead, which is stricter, because it counts what was asked for and not used.
    """

    def __init__(self, name: str, limit: int) -> None:
        self.limit = limit
        self._group = self._make(name) if IS_ROOT else None

    def _make(self, name: str) -> Path | None:
        base = Path("/sys/fs/cgroup")
        for group, key in (
            (base / "memory" / name, "memory.limit_in_bytes"),
            (base / name, "memory.max"),
        ):
            if not os.access(group.parent, os.W_OK):
                continue
            group.mkdir()
            if (group / key).exists():
                (group / key).write_text(str(self.limit))
                return group
            group.rmdir()
        return None

    @property
    def wrapper(self) -> list[str]:
        """What to put in front of a command."""
        if self._group is None:
            return ["prlimit", f"--data={self.limit}"]
        return ["bash", "-c", f'echo $$ >{self._group}/cgroup.procs; exec "$@"', "bash"]

    @property
    def was_hit(self) -> bool:
        """Whether the kernel has ended a process for it."""
        if self._group is None:
            return False
        events = self._group / "memory.events"
        source = events if events.exists() else self._group / "memory.oom_control"
        counts = dict(line.split() for line in source.read_text().splitlines())
        return int(counts["oom_kill"]) > 0

    def close(self) -> None:
        """Remove the group; its processes must have ended."""
        if self._group is not None:
            self._group.rmdir()


class Container:
    """A running container.

    Args:
        lab: starts it, and ends it.
        spec: the pod's specification.
        volumes: each volume's files.
        program: what to run; the image's entry point with the manifest's arguments unless given.
        env: further variables.
        image: what it runs.
    """

    def __init__(
        self,
        lab: Lab,
        spec: PodSpec,
        volumes: Mapping[str, Path],
        *,
        program: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        image: Image = THIS_MACHINE,
    ) -> None:
        self.spec = spec
        self.image = image
        number = len(lab.programs)
        root = lab.directory / f"root-{number}"
        root.mkdir()
        self._tools = lab.directory / f"tools-{number}"
        lay_out_tools(self._tools)
        self.memory = MemoryLimit(f"ws-monitor-test-{os.getpid()}-{number}", spec.memory)
        command = program or [*image.entrypoint, *spec.container["args"]]
        script = [
            "set -eu",
            shlex.join([sys.executable, "-c", LOOPBACK_UP]),
            *root_of(spec, image, root, self._tools, volumes),
            *enter(root, tool(self._tools, "umount")),
            f"exec {shlex.join(self._as_user(command, env or {}))}",
        ]
        mapped = [] if IS_ROOT else ["--map-root-user"]
        self.program: Program = lab.program(
            *(*self.memory.wrapper, "unshare", *mapped, *NAMESPACES, "bash", "-c"),
            "\n".join(script),
            name="container",
        )

    def _as_user(self, command: Sequence[str], env: Mapping[str, str]) -> list[str]:
        variables = [f"{name}={value}" for name, value in {**self.image.env, **env}.items()]
        setpriv = [*tool(self._tools, "setpriv"), *self.spec.privileges()]
        plain = [*setpriv, *tool(self._tools, "env"), "-i", *variables, *self._confined(command)]
        if IS_ROOT:
            return plain
        user = self.spec.pod["securityContext"]["runAsUser"]
        unshare = [*tool(self._tools, "unshare"), "--keep-caps"]
        return [*unshare, f"--map-user={user}", f"--map-group={user}", *plain]

    def _confined(self, command: Sequence[str]) -> list[str]:
        """Put the runtime's default seccomp profile on a command, as the manifest asks for it."""
        assert self.spec.pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        found = shutil.which(command[0]) or command[0]
        return [self.image.python, "-c", LOAD, f"{TOOLS_AT}/{FILTER}", found, *command[1:]]

    @property
    def pid(self) -> int | None:
        """The process id, outside, of the process that is 1 inside."""
        children = Path(f"/proc/{self.program.pid}/task/{self.program.pid}/children")
        found = children.read_text().split() if children.exists() else []
        return int(found[0]) if found else None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its program, as the kubelet does."""
        assert self.pid is not None, self.program.err
        os.kill(self.pid, number)

    def alongside(self, *command: str) -> list[str]:
        """Return a command of this machine put into the container's network."""
        into = ["--net"] if IS_ROOT else ["--net", "--user", "--preserve-credentials"]
        # unshare(1) itself is in the new network, and in the user namespace that owns it.
        return ["nsenter", f"--target={self.program.pid}", *into, *command]

    def memory_in_use(self) -> int:
        """Return the bytes of memory that its program has in use."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    async def get(
        self,
        path: str,
        patience: float = 30.0,
        *,
        scheme: str = "HTTP",
        headers: Mapping[str, str] | None = None,
    ) -> Answer | None:
        """Ask the port in the container's network; None if there is no answer."""
        assert self.program.exit_code is None, self.program.err
        how = [scheme, str(self.spec.port), path, str(patience), json.dumps(headers or {})]
        ask = self.alongside(sys.executable, "-c", GET, *how)
        asking = await asyncio.create_subprocess_exec(*ask, stdout=PIPE, stderr=DEVNULL)
        said, _ = await asking.communicate()
        if asking.returncode != 0:
            return None
        status, body = json.loads(said)
        return Answer(status, {}, body)

    async def probe(self, name: str) -> bool:
        """Do once what the kubelet does for one of the manifest's probes."""
        probe = self.spec.container[name]
        ask = probe["httpGet"]
        assert ask["port"] == self.spec.container["ports"][0]["name"]
        scheme = ask.get("scheme", "HTTP")
        answer = await self.get(ask["path"], probe.get("timeoutSeconds", 1), scheme=scheme)
        return answer is not None and 200 <= answer.status < 400

    async def started(self) -> None:
        """Wait as the kubelet does: for the start-up probe, then for the readiness probe."""
        await wait_until(self._runs, what="the container runs")
        for name in ("startupProbe", "readinessProbe"):
            probe = self.spec.container[name]
            await wait_until(
                lambda name=name: self.probe(name),
                what=f"the {name} succeeds",
                within=probe["periodSeconds"] * probe.get("failureThreshold", 3),
                every=0.2,
            )

    def _runs(self) -> bool:
        assert self.program.exit_code is None, self.program.err
        if self.pid is None:
            return False
        begun = Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")[:2]
        return self.image.entrypoint[0].encode() in begun

    async def scrape(self) -> Scrape:
        """Read `/metrics`."""
        began = time.monotonic()
        answer = await self.get("/metrics")
        assert answer is not None, self.program.err
        return Scrape(answer.body, began, time.monotonic())

    async def watches(self) -> None:
        """Wait until each of its probes is up."""

        async def up() -> bool:
            scrape = await self.scrape()
            return all(scrape.probe(name).up for name in scrape.probes) and bool(scrape.probes)

        await wait_until(up, what="its probes are up")

    def complaints(self) -> list[dict[str, Any]]:
        """Return the log lines that are no mere information."""
        return [line for line in self.log() if line["level"] not in ("info", "debug")]

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines so far."""
        return [json.loads(line) for line in self.program.err.splitlines()]

    def end(self) -> None:
        """End everything in it at once."""
        if self.pid is not None:
            self.signal(signal.SIGKILL)
        self.program.end()
        self.memory.close()
