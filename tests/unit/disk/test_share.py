"""The share and its marker: what is made on first start, and what is never taken for the share."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from leftzmq.disk.fs import linux
from leftzmq.disk.fs.real import RealDirectory, RealFile
from leftzmq.disk.share import TOKEN_BYTES, Marker, Share, folder_in, remove_marker
from leftzmq.errors import ShareError


def first(path: Path) -> Share:
    return Share.open(path, "share", None, True)


def said(share: Share) -> str:
    """Why it is not the share that we know; "" if it is."""
    stop = share.still_there()
    return "" if stop is None else stop.why


def again(path: Path, token: bytes | None, folder_id: str = "share") -> Share:
    return Share.open(path, folder_id, token, False)


def test_the_first_start_makes_everything(tmp_path: Path) -> None:
    path = tmp_path / "up" / "share"
    share = first(path)
    left = path / ".left"
    assert left.stat().st_mode & 0o777 == 0o700 and (left / "trash").is_dir()
    assert sorted(p.name for p in left.iterdir()) == ["marker", "trash"]
    assert len(share.token) == TOKEN_BYTES
    text = (left / "marker").read_text()
    assert text == f"leftzmq 1\nfolder share\ntoken {share.token.hex()}\n"
    assert share.still_there() is None and share.lacks == ()
    share.close()


def test_no_crash_leaves_half_a_marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    watched = [(RealFile, "write"), (RealFile, "flush")]
    watched += [(RealDirectory, "flush"), (RealDirectory, "rename_new")]
    for kind, method in watched:
        real = getattr(kind, method)

        def noted(
            self: Any, *arguments: Any, real: Any = real, said: str = f"{kind.__name__}.{method}"
        ) -> Any:
            calls.append(said)
            return real(self, *arguments)

        monkeypatch.setattr(kind, method, noted)
    first(tmp_path)
    named = calls.index("RealDirectory.rename_new")
    assert calls[named - 2 : named + 2] == [
        "RealFile.write",
        "RealFile.flush",
        "RealDirectory.rename_new",
        "RealDirectory.flush",
    ]
    assert calls[: named - 2] == ["RealDirectory.flush"]  # of the root, which holds .left now
    flushed = [call for call in calls[named + 2 :] if call != "RealFile.write"]
    assert flushed == ["RealDirectory.flush"], "for the trash; what is written tests the disk"


def test_a_known_share_opens_by_its_token(tmp_path: Path) -> None:
    token = first(tmp_path / "s").token
    assert again(tmp_path / "s", token).token == token
    # The state was lost between marker and commit: the marker stands.
    assert first(tmp_path / "s").token == token
    assert first(tmp_path / "t").token != token


def test_a_folder_with_files_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    first(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"mine"


def test_the_path_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "way").symlink_to("real")
    assert first(tmp_path / "way").still_there() is None
    assert (tmp_path / "real/.left/marker").exists()


@pytest.mark.parametrize("what", ["missing", "empty", "unmarked", "other token", "other folder"])
def test_what_is_not_our_share_is_never_opened_nor_made(tmp_path: Path, what: str) -> None:
    path = tmp_path / "s"
    token = first(path).token
    if what == "other token":
        shutil.rmtree(path)
        first(path)
    elif what == "other folder":
        shutil.rmtree(path)
        Share.open(path, "photos", None, True)
    elif what == "unmarked":
        (path / ".left/marker").unlink()
    else:
        shutil.rmtree(path)
        if what == "empty":
            path.mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ShareError) as caught:
        again(path, token)
    assert sorted(tmp_path.rglob("*")) == before
    assert caught.value.where == str(path)
    assert "leftzmq-agent --adopt share" in caught.value.do
    adopt_works = path.is_dir()
    if adopt_works:
        adopted = Share.adopt(path, "share")
        assert adopted.token != token and again(path, adopted.token).still_there() is None
        assert sorted(p.name for p in (path / ".left").iterdir()) == ["marker", "trash"]
    else:
        with pytest.raises(ShareError):
            Share.adopt(path, "share")
        assert not path.exists()


def test_a_marker_of_another_folder_is_not_taken_on_first_start(tmp_path: Path) -> None:
    Share.open(tmp_path, "photos", None, True)
    with pytest.raises(ShareError, match="photos"):
        first(tmp_path)


@pytest.mark.parametrize(
    "marker",
    [
        b"",
        b"\xff\xfe",
        b"leftzmq 1\nfolder share\ntoken zz\n",
        b"leftzmq 1\nfolder share\ntoken 00\n",
        b"leftzmq 2\nfolder share\ntoken " + b"00" * 16,
        b"x" * 5000,
        b"token 00\n",
    ],
)
def test_a_marker_that_is_none_stops_the_folder(tmp_path: Path, marker: bytes) -> None:
    token = first(tmp_path).token
    (tmp_path / ".left/marker").write_bytes(marker)
    for known, make in ((token, False), (None, True)):
        with pytest.raises(ShareError, match="marker"):
            Share.open(tmp_path, "share", known, make)
    assert (tmp_path / ".left/marker").read_bytes() == marker


def test_a_marker_survives_its_packing() -> None:
    marker = Marker("my folder", bytes(range(16)))
    assert Marker.unpack(marker.pack()) == marker


@pytest.mark.parametrize("thing", ["share", "left", "marker", "trash"])
@pytest.mark.parametrize("instead", ["file", "link"])
def test_a_file_or_link_in_the_place_of_ours(tmp_path: Path, thing: str, instead: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    share = tmp_path / "s"
    first(elsewhere)
    if thing != "share":
        first(share)
    places = {
        "share": share,
        "left": share / ".left",
        "marker": share / ".left/marker",
        "trash": share / ".left/trash",
    }
    place = places[thing]
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    if instead == "file":
        place.write_bytes(b"")
    else:
        target = elsewhere / "a-file"
        target.write_bytes(b"")
        place.symlink_to(target if thing == "share" else elsewhere / place.relative_to(share))
    with pytest.raises(ShareError):
        first(share)


def test_a_share_that_goes_away_while_we_run(tmp_path: Path) -> None:
    path = tmp_path / "s"
    share = first(path)
    path.rename(tmp_path / "away")
    assert "missing, unmounted or replaced" in said(share)
    path.mkdir()
    assert "missing, unmounted or replaced" in said(share)
    path.rmdir()
    (tmp_path / "away").rename(path)
    assert share.still_there() is None
    marker = path / ".left/marker"
    marker.rename(tmp_path / "kept")
    assert "no marker" in said(share)
    marker.write_bytes(Marker("share", b"x" * 16).pack())
    assert "not the one we know" in said(share)
    assert "--adopt share" in said(share) and str(path) in said(share)
    marker.write_bytes(b"rubbish")
    assert "cannot be read" in said(share)
    marker.unlink()
    (tmp_path / "kept").rename(marker)
    assert share.still_there() is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_share_that_may_not_be_written(tmp_path: Path) -> None:
    token = first(tmp_path / "s").token
    (tmp_path / "s/.left").chmod(0o500)
    try:
        with pytest.raises(ShareError, match="cannot be used"):
            again(tmp_path / "s", token)
    finally:
        (tmp_path / "s/.left").chmod(0o700)


def test_what_the_file_system_cannot_do_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(linux, "renameat2", unknown)
    (said,) = first(tmp_path).lacks
    assert said.startswith("the file system cannot exchange two names")
    assert sorted(p.name for p in (tmp_path / ".left").iterdir()) == ["marker", "trash"]

    def no_links(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    (said,) = first(tmp_path).lacks
    assert said.startswith("the file system can neither exchange two names nor link")


def test_a_disk_that_fills_up_at_the_start_keeps_no_file_of_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, create, made = tmp_path / "share", RealDirectory.create, list[str]()

    def fills_up(self: RealDirectory, name: str) -> RealFile:
        if name.startswith("probe-"):
            made.append(name)
            if len(made) == 2:
                raise OSError(errno.ENOSPC, "No space left on device")
        return create(self, name)

    monkeypatch.setattr(RealDirectory, "create", fills_up)
    with pytest.raises(ShareError, match="No space left"):
        first(path)
    assert len(made) == 2 and not list((path / ".left").glob("probe-*"))


def test_refusing_leaves_no_descriptor_open(tmp_path: Path) -> None:
    first(tmp_path).close()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ShareError):
        again(tmp_path, b"y" * 16)
    with pytest.raises(ShareError):
        again(tmp_path, None, "photos")
    Share.adopt(tmp_path, "share").close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_marker_goes_again_and_what_the_user_has_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    first(tmp_path).close()
    remove_marker(tmp_path, "another folder")
    assert folder_in(tmp_path) == "share"
    remove_marker(tmp_path, "share")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    for place in (tmp_path, tmp_path / "missing"):
        remove_marker(place, "share")


def test_old_versions_in_the_trash_stay_when_the_marker_goes(tmp_path: Path) -> None:
    first(tmp_path).close()
    old = tmp_path / ".left" / "trash" / "batch"
    old.mkdir()
    remove_marker(tmp_path, "share")
    assert old.is_dir() and folder_in(tmp_path) is None


def test_a_marker_that_was_half_removed_is_removed_again(tmp_path: Path) -> None:
    first(tmp_path).close()
    (tmp_path / ".left" / "marker").unlink()
    remove_marker(tmp_path, "share")
    assert not list(tmp_path.iterdir())


def test_a_marker_that_cannot_be_removed_or_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first(tmp_path).close()
    marker = tmp_path / ".left" / "marker"
    text = marker.read_bytes()
    marker.write_bytes(b"no marker")
    with pytest.raises(ShareError, match="marker"):
        remove_marker(tmp_path, "share")
    marker.write_bytes(text)

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(RealDirectory, "unlink", fails)
    with pytest.raises(ShareError, match="Input/output"):
        remove_marker(tmp_path, "share")
