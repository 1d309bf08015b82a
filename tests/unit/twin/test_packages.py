"""Packages are installed without a service being started, and nothing is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drillbook.twin import packages

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the machine's policy-rc.d would be."""
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "_POLICY", path)
    monkeypatch.setattr(packages.os, "geteuid", lambda: 0)
    monkeypatch.setattr(packages.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(packages, "missing", lambda: packages.NEEDED[:2])
    return path


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, policy: Path) -> list[str]:
    """What was run, with whether services could start meanwhile."""
    run: list[str] = []

    def note(*arguments: str) -> None:
        denied = policy.is_file() and packages._exit_code("sh", str(policy)) == 101
        run.append(f"{'quiet' if denied else 'free'}: {' '.join(arguments)}")

    monkeypatch.setattr(packages, "_apt", note)
    monkeypatch.setattr(packages, "_units", set[str])
    return run


def test_services_cannot_start_meanwhile(commands: list[str], policy: Path) -> None:
    """And the machine is as before afterwards."""
    assert packages.install(lambda _: None) == packages.NEEDED[:2]
    assert commands == ["quiet: install --quiet --yes --no-install-recommends ca-certificates conntrack"]
    assert not policy.exists()


@pytest.mark.parametrize("refused", [1, 2])
def test_lists_that_are_out_of_date_are_fetched_once(
    commands: list[str], monkeypatch: pytest.MonkeyPatch, policy: Path, refused: int
) -> None:
    """A mirror has dropped what they name; a second refusal has another reason."""
    note, answers = packages._apt, iter([packages.AptRefused("404  Not Found")] * refused)

    def refuse(*arguments: str) -> None:
        note(*arguments)
        if arguments[0] == "install" and (answer := next(answers, None)):
            raise answer

    monkeypatch.setattr(packages, "_apt", refuse)
    if refused == 1:
        packages.install(lambda _: None)
    else:
        with pytest.raises(packages.PackageError, match="404"):
            packages.install(lambda _: None)
    assert [command.split()[1] for command in commands] == ["install", "update", "install"]
    assert all(command.startswith("quiet: ") for command in commands)
    assert not policy.exists()


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize(("behaviour", "tried"), [("exit 100", 3), ("exec sleep 5", 1)])
def test_an_installation_that_takes_too_long_is_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, tried: int
) -> None:
    """What apt refuses is."""
    told = tmp_path / "told"
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$*" >> {told}\ncase "$*" in *update*) ;; *) {behaviour};; esac\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(packages, "_DEADLINE_S", 0.5)
    with pytest.raises(packages.PackageError):
        packages.install(lambda _: None)
    assert len(told.read_text().splitlines()) == tried


def test_a_policy_of_the_machines_own_is_put_back(commands: list[str], policy: Path) -> None:
    """Even when the installation fails."""
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o755)
    packages.install(lambda _: None)
    assert commands[0].startswith("quiet: ")
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert [path.name for path in policy.parent.iterdir()] == ["policy-rc.d"]


def test_a_policy_that_denies_already_is_left_alone(commands: list[str], policy: Path) -> None:
    """As in most containers."""
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    packages.install(lambda _: None)
    assert commands[0].startswith("quiet: ")
    assert policy.read_text() == "#!/bin/sh\nexit 101\n"


def test_what_a_killed_installation_left_goes_away(commands: list[str], policy: Path) -> None:
    """Our own policy is known by its mark, the machine's by its name."""
    policy.write_text(f"#!/bin/sh\n{packages._MARK}\nexit 101\n")
    policy.chmod(0o755)
    (policy.parent / "policy-rc.d.before-drillbook").write_text("#!/bin/sh\n# theirs\n")
    packages.install(lambda _: None)
    assert commands
    assert policy.read_text() == "#!/bin/sh\n# theirs\n"


def test_without_root_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, policy: Path) -> None:
    """All at once."""
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    with pytest.raises(packages.PackageError, match="these packages are missing: ca-certificates conntrack"):
        packages.install(lambda _: None)
    assert not policy.exists()


def test_versions_of_what_is_not_installed_are_left_out() -> None:
    """dpkg knows itself."""
    assert set(packages.versions(["dpkg", "no-such-package-here"])) == {"dpkg"}
