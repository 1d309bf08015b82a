"""A twin that does not come up or go down is told in a sentence; 1 is the exit code of a drill that failed."""

from __future__ import annotations

import subprocess
from contextlib import nullcontext

import pytest

from drillbook.twin import (
    addons,
    cache,
    commands,
    doctor,
    down,
    fabric,
    golang,
    groups,
    kubectl,
    layers,
    machines,
    registry,
    rootfs,
    services,
    state,
    up,
    wheels,
)

_FAILURES = [
    *(kind("the mirror is away") for kind in (
        cache.CacheError, fabric.FabricError, golang.BuildError, groups.GroupError, kubectl.ClusterError,
        layers.PartError, machines.MachineError, registry.RegistryError, rootfs.RootError, services.ServiceError,
        state.TwinBusy, wheels.WheelError, OSError,
    )),
    subprocess.TimeoutExpired(["ip", "the mirror is away"], 30),
    subprocess.CalledProcessError(1, ["setsid", "the mirror is away"]),
]  # fmt: skip
_each_failure = pytest.mark.parametrize("failure", _FAILURES, ids=lambda failure: type(failure).__name__)


def failing(failure: Exception):
    def fail(*_arguments, **_options) -> None:
        raise failure

    return fail


@_each_failure
def test_a_twin_that_does_not_come_up_is_refused(failure, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda _missing: [])
    monkeypatch.setattr(up, "bring_up", failing(failure))
    assert commands.bring_up("staging", replace=False) == commands.EXIT_REFUSED
    said = capsys.readouterr().out
    assert "could not be brought up" in said
    assert "the mirror is away" in said


@_each_failure
def test_a_twin_that_does_not_go_down_is_refused(failure, monkeypatch, capsys):
    monkeypatch.setattr(state, "exclusively", lambda **_options: nullcontext())
    monkeypatch.setattr(down, "take_down", failing(failure))
    assert commands.take_down() == commands.EXIT_REFUSED
    assert "the mirror is away" in capsys.readouterr().out


def test_a_twin_that_another_process_works_on_is_not_taken_down(monkeypatch, capsys):
    monkeypatch.setattr(state, "exclusively", failing(state.TwinBusy("process 7 is still working on the twin")))
    assert commands.take_down() == commands.EXIT_REFUSED
    assert "process 7" in capsys.readouterr().out


def test_a_command_on_a_machine_that_does_not_run_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(state, "read", lambda: state.Ownership("/here", "staging", complete=True))
    monkeypatch.setattr(machines, "enter_command", failing(machines.MachineError("machine use1-n1 is not running")))
    assert commands.execute(["true"], "use1-n1") == commands.EXIT_REFUSED
    assert "use1-n1 is not running" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("printed", "complaint"),
    [
        ('echo \'{"Error": "proxyconnect tcp: refused"}\'; exit 1', "proxyconnect tcp: refused"),
        ("echo 'go: unknown flag' >&2; exit 2", "go: unknown flag"),
    ],
)
def test_what_go_says_of_a_module_that_it_cannot_get_is_told(tmp_path, printed, complaint):
    go = tmp_path / "go"
    go.write_text(f"#!/bin/sh\n{printed}\n")
    go.chmod(0o755)
    with pytest.raises(golang.BuildError, match=complaint):
        addons.gateway_api_definitions(go)


def test_the_modules_directory_is_what_go_says(tmp_path):
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\necho \'{"Dir": "/mod"}\'\n')
    go.chmod(0o755)
    assert str(addons.gateway_api_definitions(go)) == "/mod/config/crd/standard"
