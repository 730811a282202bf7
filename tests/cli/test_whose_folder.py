"""Commands in a folder of somebody else: root becomes its owner, and nobody takes it without being told to."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from routing_engine.cli import main
from routing_engine.cli.common import step_down

pytestmark = pytest.mark.io

#: Only root can become somebody else; whoever else runs these tests stays who he is, and so the command does.
OWNER = 65534 if os.geteuid() == 0 else os.geteuid()


@pytest.fixture
def config() -> Iterator[Path]:
    """A configuration of ours whose state belongs to the engine's user, where both can reach it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    (folder / "routes").mkdir()
    (folder / "routes" / "support.yaml").write_text("default: {to: {queue: vip}}\n")
    (folder / "state").mkdir()
    os.chown(folder / "state", OWNER, OWNER)
    yield folder
    shutil.rmtree(folder)


def user_after(work: Callable[[], object]) -> int:
    """Do something in a process of its own; return whose that is then, with all its groups."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):  # what comes of it is no matter here
            work()
        os.write(
            writing,
            " ".join(map(str, {os.getuid(), os.geteuid(), os.getgid(), os.getegid(), *os.getgroups()})).encode(),
        )
        os._exit(0)
    os.close(writing)
    with open(reading, encoding="ascii") as told:
        found = {int(one) for one in told.read().split()}
    os.waitpid(child, 0)
    return OWNER if found == {OWNER} else os.geteuid()


@pytest.mark.parametrize(
    "command", [["explain", "x"], ["calls"], ["forget", "--wait", "0.1", "0664 1234567"], ["integrations"], ["mirror"]]
)
def test_root_goes_on_as_the_user_whom_the_state_belongs_to(config: Path, command: list[str]) -> None:
    assert user_after(lambda: main([*command, "--config", str(config)])) == OWNER


def test_a_link_that_is_set_in_the_state_is_not_root_s_to_follow(config: Path) -> None:
    secret = config / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    (config / "state" / "calls.db").symlink_to(secret)
    for command in (["forget", "--wait", "0.1", "0664 1234567"], ["calls"]):
        user_after(lambda command=command: main([*command, "--config", str(config)]))  # type: ignore[misc]
    assert (secret.read_text(), secret.stat().st_uid) == ("root's", os.geteuid())


def test_who_sets_a_link_is_who_is_become(config: Path) -> None:
    (config / "state").rename(config / "moved")
    os.symlink("/", config / "state")
    os.chown(config / "state", OWNER, OWNER, follow_symlinks=False)
    assert user_after(lambda: step_down(config / "state", config)) == OWNER


def test_a_folder_of_root_s_leaves_root_as_he_is(config: Path) -> None:
    os.chown(config / "state", os.geteuid(), -1)
    assert user_after(lambda: step_down(config / "state", config, config / "none")) == os.geteuid()


def test_who_only_writes_the_configuration_keeps_the_right_to(config: Path) -> None:
    assert user_after(lambda: main(["schema", "--config", str(config)])) == os.geteuid()


def test_a_folder_of_somebody_else_is_taken_by_its_name_only(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(config)
    monkeypatch.delenv("ROUTING_ENGINE_CONFIG", raising=False)
    os.chown(config / "state", os.geteuid(), -1)
    assert main(["check"]) == 0
    os.chown(config, OWNER, OWNER)
    if os.geteuid() != OWNER:
        assert main(["check"]) == 2
        assert "belongs to another user; name it with --config" in capsys.readouterr().err
