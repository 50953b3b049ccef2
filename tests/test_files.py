"""Reading and writing files in untrusted folders."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backprop.files import FileError, make_folders, open_file, open_to_change, read_file, replace_file
from backprop.saving import run_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, FIFOs and devices as POSIX has them")


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # socket names must be short


KINDS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a FIFO": (os.mkfifo, "it is a FIFO; expected a file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "it is a device; expected a file"),
    "a socket": (make_socket, "it is a socket; expected a file"),
    "a folder": (Path.mkdir, "it is a folder; expected a file"),
}


@pytest.mark.parametrize(("make", "message"), KINDS.values(), ids=KINDS)
def test_only_regular_files_are_read(
    make: Callable[[Path], Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "a")
    opened: list[Any] = []
    monkeypatch.setattr(os, "open", lambda *words, **_: opened.append(words))
    with pytest.raises(FileError, match=message):
        open_file(tmp_path / "a")
    assert opened == []  # opening might block, or act on a device


def test_link_is_followed_when_reading(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "link").symlink_to("a")
    assert read_file(tmp_path / "link", 4) == b"text"
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "no")


def test_size_limit(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        file.truncate(10**12)  # a sparse file
    with pytest.raises(FileError, match="it has 1,000,000,000,000 bytes; expected at most 1,000$"):
        read_file(tmp_path / "a", 1000)


LINKS: dict[str, Callable[[Path, Path], Any]] = {
    "symbolic": lambda path, victim: path.symlink_to(victim),
    "hard": lambda path, victim: os.link(victim, path),
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_link_is_not_followed_when_writing(link: Callable[[Path, Path], Any], tmp_path: Path) -> None:
    path, victim = tmp_path / "a", tmp_path / "victim"
    victim.write_bytes(b"precious")
    victim.chmod(0o600)
    link(path, victim)
    for mode in ("ab", "r+b"):
        with pytest.raises(FileError, match="it is a link, which is not written|it has another name"):
            open_to_change(path, mode)  # type: ignore[arg-type]
    replace_file(path, b"new")
    assert (victim.read_bytes(), path.read_bytes()) == (b"precious", b"new")
    assert not path.is_symlink()


def test_file_that_replaces_a_link_has_default_permissions(tmp_path: Path) -> None:
    (tmp_path / "victim").touch(mode=0o600)
    (tmp_path / "usual").touch()
    for name in ("victim", "nothing"):
        (tmp_path / f"link to {name}").symlink_to(name)
        replace_file(tmp_path / f"link to {name}", b"new")
        assert (tmp_path / f"link to {name}").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert not (tmp_path / "nothing").exists()


def test_fifo_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    with pytest.raises(OSError, match=r"a cannot be written: it is a FIFO; expected a file$"):
        replace_file(tmp_path / "a", b"new")
    assert stat.S_ISFIFO((tmp_path / "a").stat().st_mode)
    assert os.listdir(tmp_path) == ["a"]


def test_append(tmp_path: Path) -> None:
    for part in (b"one", b"two"):
        with open_to_change(tmp_path / "a", "ab") as file:
            file.write(part)
    assert (tmp_path / "a").read_bytes() == b"onetwo"
    with pytest.raises(FileNotFoundError):
        open_to_change(tmp_path / "no", "r+b")


def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the files and folders that are flushed from now on."""
    found: list[int] = []
    fsync = os.fsync

    def flush(handle: int) -> None:
        found.append(os.fstat(handle).st_ino)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flush)
    return found


def test_parents_of_a_new_folder_are_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = flushed(monkeypatch)
    folder = run_folder.new_folder("mlp", tmp_path / "a" / "b")
    assert folder == tmp_path / "a" / "b" / "mlp-1"
    assert found == [path.stat().st_ino for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    run_folder.usable(tmp_path / "other")
    assert found[3:] == [tmp_path.stat().st_ino]
    make_folders(folder)
    run_folder.usable(folder)
    assert len(found) == 4  # existing folders are not flushed
