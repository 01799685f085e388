"""A file's content has changed and come to rest, whatever took its place and how."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config import FileWatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file."""
    path = tmp_path / "c.yaml"
    path.write_text("one")
    return path


def in_place(path: Path, text: str) -> None:
    """Change a file as a careless editor does."""
    path.write_text(text)


def by_renaming(path: Path, text: str) -> None:
    """Change a file as a careful editor does."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


def mount(volume: Path, text: str, version: str) -> Path:
    """Lay out a ConfigMap's volume as the kubelet does, or swap it for another version."""
    (volume / version).mkdir()
    (volume / version / "c.yaml").write_text(text)
    link = volume / "..data_tmp"
    link.symlink_to(version)
    link.replace(volume / "..data")
    path = volume / "c.yaml"
    if not path.is_symlink():
        path.symlink_to("..data/c.yaml")
    return path


class TestAChange:
    """It is told once, when the file has come to rest."""

    @pytest.mark.parametrize("write", [in_place, by_renaming])
    def test_it_is_told_at_the_second_look(
        self, file: Path, write: Callable[[Path, str], None]
    ) -> None:
        watch = FileWatch(file)
        assert [watch.look() for _ in range(3)] == [False, False, False]
        write(file, "two")
        assert [watch.look() for _ in range(4)] == [False, True, False, False]

    def test_a_config_map_is_swapped(self, tmp_path: Path) -> None:
        path = mount(tmp_path, "one", "..2026_01")
        watch = FileWatch(path)
        mount(tmp_path, "two", "..2026_02")
        assert [watch.look() for _ in range(3)] == [False, True, False]

    def test_a_file_that_is_being_written_is_left_alone(self, file: Path) -> None:
        watch = FileWatch(file)
        for size in range(1, 10):
            file.write_text("x" * size)
            assert not watch.look()
        assert watch.look()

    def test_the_same_size_in_the_same_place_is_a_change_as_well(self, file: Path) -> None:
        watch = FileWatch(file)
        times = file.stat()
        file.write_text("two")
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert [watch.look(), watch.look()] == [False, True]


class TestNoChange:
    """What is none."""

    def test_a_file_that_is_touched(self, file: Path) -> None:
        watch = FileWatch(file)
        file.touch()
        assert not any(watch.look() for _ in range(4))

    def test_a_file_that_says_the_same_again(self, file: Path) -> None:
        watch = FileWatch(file)
        by_renaming(file, "one")
        assert not any(watch.look() for _ in range(4))

    def test_a_file_that_is_gone_for_a_while(self, file: Path) -> None:
        watch = FileWatch(file)
        file.unlink()
        assert not any(watch.look() for _ in range(4))
        file.write_text("one")
        assert not any(watch.look() for _ in range(4))

    def test_a_link_that_leads_nowhere_for_a_while(self, tmp_path: Path) -> None:
        path = mount(tmp_path, "one", "..2026_01")
        watch = FileWatch(path)
        (tmp_path / "..data").unlink()
        assert not any(watch.look() for _ in range(3))
        mount(tmp_path, "two", "..2026_02")
        assert [watch.look() for _ in range(3)] == [False, True, False]

    def test_what_was_marked_as_known(self, file: Path) -> None:
        watch = FileWatch(file)
        in_place(file, "two")
        assert not watch.look()
        watch.mark()
        assert not any(watch.look() for _ in range(4))

    def test_a_directory_in_its_place(self, file: Path) -> None:
        watch = FileWatch(file)
        file.unlink()
        file.mkdir()
        assert not any(watch.look() for _ in range(4))
