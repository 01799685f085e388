"""Files are read as they are, noticed when they change, and a broken one harms no other."""

import asyncio
import json
import os
import threading
from pathlib import Path

import pytest

from monitor.config import target_with
from monitor.discovery import file_sd
from monitor.discovery.file_sd import FileSource
from monitor.discovery.source import Answer, Failed, LookFailedError

PATIENCE = 20.0


def write(path: Path, *addresses: str) -> None:
    """Write a file that names these addresses."""
    path.write_text(json.dumps([{"targets": list(addresses)}]))


def addresses(answer: Answer) -> dict[str, list[str] | str]:
    """Return the addresses in each file, by its name; or what is wrong with it."""
    return {
        Path(name).name: part.reason.rpartition(": ")[2]
        if isinstance(part, Failed)
        else [target.address for target in part]
        for name, part in answer.items()
    }


async def test_every_file_that_fits_a_pattern_is_read(tmp_path: Path) -> None:
    """In both formats, and no other file is."""
    write(tmp_path / "a.json", "a:1")
    write(tmp_path / "aa.json", "a:2")
    write(tmp_path / "b.json", "b:1")
    (tmp_path / "c.yaml").write_text("- targets: [c:1]\n")
    (tmp_path / "d.yml").write_text("- targets: [d:1]\n")
    source = FileSource([tmp_path / "a*.json", tmp_path / "c.yaml", tmp_path / "*.yml"])
    assert addresses(await source.look()) == {
        "a.json": ["a:1"],
        "aa.json": ["a:2"],
        "c.yaml": ["c:1"],
        "d.yml": ["d:1"],
    }


async def test_a_target_knows_its_file(tmp_path: Path) -> None:
    """As Prometheus tells it."""
    path = tmp_path / "a.json"
    write(path, "a:1")
    answer = await FileSource([path]).look()
    assert answer == {str(path): (target_with("a:1", {"__meta_filepath": str(path)}),)}


async def test_whatever_is_wrong_with_a_file_is_that_file_s_alone(tmp_path: Path) -> None:
    """With a reason, and no word of what is in it."""
    write(tmp_path / "good.json", "a:1")
    (tmp_path / "broken.json").write_text('[{"targets": ["hunter2')
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "format.json").write_text('[{"targets": "hunter2"}]')
    (tmp_path / "directory.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "nowhere.json").symlink_to(tmp_path / "nothing")
    answer = await FileSource([tmp_path / "*.json"]).look()
    assert addresses(answer) == {
        "good.json": ["a:1"],
        "broken.json": "not valid JSON",
        "empty.json": "not valid JSON",
        "format.json": "targets must be a list of texts",
        "directory.json": "is a directory",
        "pipe.json": "not a regular file",
        "nowhere.json": "no such file or directory",
    }


async def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it fills the memory."""
    monkeypatch.setattr(file_sd, "MOST_BYTES", 30)
    write(tmp_path / "a.json", "a:1")
    write(tmp_path / "b.json", "b:1" * 30)
    answer = await FileSource([tmp_path / "*.json"]).look()
    assert addresses(answer) == {"a.json": ["a:1"], "b.json": "larger than 0 MiB"}


async def test_a_file_that_is_gone_is_a_failure_if_it_was_named_and_gone_if_it_was_not(
    tmp_path: Path,
) -> None:
    """A pattern promises no file."""
    named, other = tmp_path / "a.json", tmp_path / "b-1.json"
    write(named, "a:1")
    write(other, "b:1")
    source = FileSource([named, tmp_path / "b-*.json"])
    await source.look()
    named.unlink()
    other.unlink()
    assert addresses(await source.look()) == {"a.json": "no such file or directory"}


async def test_while_a_directory_cannot_be_listed_its_files_stay_known(tmp_path: Path) -> None:
    """A volume that is not mounted yet again."""
    directory = tmp_path / "targets"
    directory.mkdir()
    write(directory / "a.json", "a:1")
    source = FileSource([directory / "*.json"])
    await source.look()
    directory.rename(tmp_path / "away")
    missing = "no such file or directory"
    assert addresses(await source.look()) == {"*.json": missing, "a.json": missing}
    assert await source.stirred() is False
    (tmp_path / "away").rename(directory)
    assert await source.stirred() is True
    assert addresses(await source.look()) == {"a.json": ["a:1"]}


async def test_every_kind_of_change_is_noticed(tmp_path: Path) -> None:
    """Writing, replacing, adding, removing."""
    path = tmp_path / "a.json"
    write(path, "a:1")
    source = FileSource([tmp_path / "*.json"])
    await source.look()
    assert await source.stirred() is False

    def replace() -> None:
        write(tmp_path / "new", "c:3")
        os.utime(tmp_path / "new", ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
        (tmp_path / "new").rename(path)

    changes = [
        lambda: write(path, "b:22"),
        replace,
        lambda: write(tmp_path / "b.json", "b:1"),
        (tmp_path / "b.json").unlink,
    ]
    for change in changes:
        change()
        assert await source.stirred() is True
        await source.look()
        assert await source.stirred() is False


async def test_the_swap_of_a_config_map_is_noticed(tmp_path: Path) -> None:
    """Kubernetes puts another directory behind the link `..data`, in one step."""
    for version in ("1", "2"):
        (tmp_path / f"..{version}").mkdir()
        write(tmp_path / f"..{version}" / "a.json", f"v{version}:1")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.json").symlink_to("..data/a.json")
    source = FileSource([tmp_path / "*.json"])
    assert addresses(await source.look()) == {"a.json": ["v1:1"]}
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert await source.stirred() is True
    assert addresses(await source.look()) == {"a.json": ["v2:1"]}


async def test_a_file_system_that_hangs_gets_one_thread_and_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked gives up, and whoever asks meanwhile is told at once."""
    write(tmp_path / "a.json", "a:1")
    source = FileSource([tmp_path / "a.json"])
    begun, released = threading.Event(), threading.Event()
    state = file_sd._state

    def hangs(path: Path) -> object:
        begun.set()
        assert released.wait(PATIENCE)
        return state(path)

    monkeypatch.setattr(file_sd, "_state", hangs)
    look = asyncio.create_task(source.look())
    assert await asyncio.to_thread(begun.wait, PATIENCE)
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    for _ in range(3):
        with pytest.raises(LookFailedError, match="still being read"):
            await source.look()
        with pytest.raises(LookFailedError, match="still being read"):
            await source.stirred()
    (thread,) = (each for each in threading.enumerate() if each.name == "discovery files")
    assert thread.daemon
    released.set()
    await asyncio.to_thread(thread.join, PATIENCE)
    assert addresses(await source.look()) == {"a.json": ["a:1"]}
