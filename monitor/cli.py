"""The command `ws-monitor`: arguments in, exit code out."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor import __version__, app
from monitor.config import ConfigError, ListenAddress, json_schema
from monitor.place import PlaceError, read_place
from monitor.target import Target, TargetSettings, serve_until

cli = typer.Typer(
    name="ws-monitor",
    help="Keep WebSocket connections open, beat on them, and tell Prometheus how every echo fared.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _address(text: str) -> ListenAddress:
    try:
        return ListenAddress.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


WebConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--web-config",
        metavar="FILE",
        help="TLS and passwords for the web port, as for Prometheus' exporters.",
    ),
]


AsExportersCallIt = Annotated[
    Path | None, typer.Option("--web.config.file", metavar="FILE", hidden=True)
]


@cli.command()
def run(
    config: Annotated[Path, typer.Option(help="The config file.")] = Path("config.yaml"),
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a line for every heartbeat to it.")
    ] = None,
    shard: Annotated[
        str,
        typer.Option(
            metavar="NUMBER/COUNT",
            envvar="WS_MONITOR_SHARD",
            help="Which of several monitors this one is, from 0; auto/COUNT in a StatefulSet.",
        ),
    ] = "0/1",
    replication: Annotated[
        str,
        typer.Option(
            metavar="R",
            envvar="WS_MONITOR_REPLICATION",
            help="How many of them watch each probe.",
        ),
    ] = "1",
    vantage: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            envvar="WS_MONITOR_VANTAGE",
            help="Where it stands: the label vantage of every probe.",
        ),
    ] = "",
    web_config: WebConfigFile = None,
    web_config_file: AsExportersCallIt = None,
    enable_reload: Annotated[
        bool,
        typer.Option(
            "--enable-reload",
            envvar="WS_MONITOR_ENABLE_RELOAD",
            help="Let POST /-/reload read the config again.",
        ),
    ] = False,
    watch_config: Annotated[
        bool,
        typer.Option(
            "--watch-config/--no-watch-config",
            envvar="WS_MONITOR_WATCH_CONFIG",
            help="Read the config again when the file changes.",
        ),
    ] = True,
) -> None:
    """Run the service. SIGHUP reads the config again; SIGTERM stops it."""
    try:
        place = read_place(
            shard, replication, vantage, environ=os.environ, hostname=socket.gethostname
        )
    except PlaceError as error:
        typer.echo(error, err=True)
        raise typer.Exit(app.USAGE) from None
    reloads = app.Reloads(on_change=watch_config, on_request=enable_reload)
    raise typer.Exit(app.run(config, trace, place, web_config or web_config_file, reloads))


@cli.command()
def check(
    config: Annotated[Path, typer.Argument(help="The config file.")] = Path("config.yaml"),
    web_config: WebConfigFile = None,
    web_config_file: AsExportersCallIt = None,
) -> None:
    """Say everything that is wrong with a config, one line each. Exit 0 if nothing is, else 2."""
    try:
        loaded, _ = app.load(config, web_config or web_config_file)
    except ConfigError as error:
        typer.echo(error, err=True)
        raise typer.Exit(app.USAGE) from None
    typer.echo(f"{config}: fine, {len(loaded.probes)} probe(s)")


@cli.command()
def schema() -> None:
    """Print the JSON Schema of the config, for editors."""
    typer.echo(json.dumps(json_schema(), indent=2))


@cli.command()
def target(
    listen: Annotated[
        ListenAddress, typer.Option(parser=_address, metavar="HOST:PORT", help="Where to serve.")
    ] = "127.0.0.1:10441",  # type: ignore[assignment] # typer parses the default as well
    control: Annotated[
        ListenAddress,
        typer.Option(parser=_address, metavar="HOST:PORT", help="Where to switch faults on."),
    ] = "127.0.0.1:10442",  # type: ignore[assignment] # typer parses the default as well
    expose_control: Annotated[
        bool, typer.Option("--expose-control", help="Let other machines switch faults on.")
    ] = False,
    api_key_env: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Variable with the only key to accept; else any will do."
        ),
    ] = "",
) -> None:
    """Run a Talo-speaking target to practise on, with faults that can be switched on."""
    try:
        settings = TargetSettings(
            host=listen.host,
            port=listen.port,
            control_host=control.host,
            control_port=control.port,
            expose_control=expose_control,
            api_key=os.environ.get(api_key_env) if api_key_env else None,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    raise typer.Exit(_serve_target(settings))


def _serve_target(settings: TargetSettings) -> int:
    def ready(target: Target) -> None:
        typer.echo(f"target on {settings.host}:{target.port}")
        typer.echo(f"faults on {settings.control_host}:{target.control_port}")

    async def serve() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await serve_until(settings, stopped, ready)

    try:
        asyncio.run(serve())
    except OSError as error:
        typer.echo(f"cannot start: {error.strerror or error}", err=True)
        return app.CANNOT_START
    return app.OK


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ws-monitor {__version__}")
        raise typer.Exit


@cli.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command."""
    sys.exit(cli())
