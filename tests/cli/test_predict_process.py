"""`healer predict` as a shell runs it: pipes, terminals, Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.batch.tiles import folder_of

COMMAND = [sys.executable, "-m", "healer", "predict", "--engine", "builtin", "--gate", "off"]


def environment(**more: str) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
    }
    return {**inherited, "PYTHONUTF8": "1", **more}


@contextmanager
def predicting(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    started = [*COMMAND, *arguments]
    with subprocess.Popen(
        started, stdout=pipe, stderr=pipe, text=True, env=environment()
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def tiles(tmp_path: Path) -> list[Path]:
    return sorted(folder_of(tmp_path / "tiles", 3).glob("*.png"))


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A file that is waited for."""
    path = tmp_path / "endless.png"
    os.mkfifo(path)
    return path


def test_a_row_is_there_before_the_next_tile_is(tiles: list[Path], endless: Path) -> None:
    with predicting(str(tiles[0]), str(endless), str(tiles[1])) as process:
        assert process.stdout
        assert process.stdout.readline().rstrip().endswith(tiles[0].name)
        endless.write_bytes(tiles[2].read_bytes())  # only now
        rest, _ = process.communicate(timeout=60)
    assert [line.split()[-1] for line in rest.splitlines()[:2]] == [str(endless), str(tiles[1])]
    assert process.returncode == 0


def test_ctrl_c_keeps_what_was_printed_and_counts_it(
    tiles: list[Path], endless: Path, tmp_path: Path
) -> None:
    written = tmp_path / "a.csv"
    named = [str(tiles[0]), str(tiles[1]), str(endless), "--csv", str(written)]
    with predicting(*named) as process:
        assert process.stdout
        rows = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        rest, output = process.communicate(timeout=60)
    assert process.returncode == 130
    verdicts = [row.split()[0] for row in rows]
    words = ("no", "indeterminate", "yes")
    counted = ", ".join(f"{verdicts.count(word)} {word}" for word in words if word in verdicts)
    assert rest.splitlines()[:2] == ["", counted]
    assert output == f"Stopped after 2 of 3 tiles: {counted}.\n"
    assert len(written.read_text(encoding="utf-8").splitlines()) == 3


def test_ctrl_c_leaves_whole_lines_of_json(tiles: list[Path], endless: Path) -> None:
    with predicting("--json", str(tiles[0]), str(endless)) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["path"] == str(tiles[0])
        process.send_signal(signal.SIGINT)
        rest, output = process.communicate(timeout=60)
    assert (process.returncode, rest) == (130, "")
    assert output.startswith("Stopped after 1 of 2 tiles")


@pytest.mark.parametrize("option", ["--explain", "--json", "--csv=-"])
def test_a_reader_that_has_read_enough_is_no_failure_to_talk_of(
    tiles: list[Path], endless: Path, option: str
) -> None:
    with predicting(option, str(tiles[0]), str(endless), str(tiles[1])) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        endless.write_bytes(tiles[1].read_bytes())
        assert process.stderr.read() == ""
        assert process.wait(60) == 1


@pytest.mark.parametrize("option", ["--explain", "--json", "--csv=-"])
def test_a_full_disk_is_reported(tiles: list[Path], option: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*COMMAND, option, str(tiles[0])],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            check=False,
        )
    assert ended.returncode == 30
    assert "standard output cannot be written: No space left on device" in ended.stderr
    assert "Exception" not in ended.stderr


def on_terminal(columns: int, *arguments: str) -> tuple[int, list[str]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    plain = environment(NO_COLOR="1", TERM="xterm")
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=plain
    ) as process:
        os.close(theirs)
        output = b""
        try:
            while data := os.read(ours, 4096):
                output += data
        except OSError:  # how a terminal ends
            os.close(ours)
    return process.wait(60), re.sub(r"\x1b\[[0-9;]*m", "", output.decode()).splitlines()


def test_a_terminal_of_eighty_columns_holds_a_tile_in_one_line(tmp_path: Path) -> None:
    place = tmp_path / ("a-case-with-a-long-name-" * 4)
    folder_of(place, 3)
    code, lines = on_terminal(80, str(place))
    assert code == 0
    heading, *rows = lines[:4]
    assert heading.split() == ["Verdict", "Cancer", "Mark", "Tile"]
    assert [row[-8:] for row in rows] == ["0000.png", "0001.png", "0002.png"]
    assert all(row.count("…") == 1 and row.count("%") == 1 for row in rows)
    assert max(map(len, lines)) <= 80


def test_a_picture_is_not_waited_for_from_a_terminal() -> None:
    code, lines = on_terminal(200, "-")
    assert code == 30
    assert "send a picture through a pipe" in " ".join(lines)


def test_a_pipe_is_given_whole_names(tmp_path: Path) -> None:
    place = tmp_path / ("a-case-with-a-long-name-" * 4)
    folder_of(place, 1)
    with predicting(str(place)) as process:
        output, _ = process.communicate(timeout=60)
    assert output.splitlines()[0].endswith(f"  {place / '0000.png'}")


def test_a_terminal_that_knows_no_dashes_is_shown_what_it_can(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, str(tmp_path / "größer.png")],
        capture_output=True,
        env=environment(PYTHONUTF8="0", PYTHONIOENCODING="latin-1:strict"),
        check=False,
    )
    assert ended.returncode == 1
    assert b"refused               \\u2013  No such file or directory" in ended.stdout
    assert ended.stdout.splitlines()[0].endswith("größer.png".encode("latin-1"))
