"""GitLab's pipelines, run on this machine by gitlab-ci-local."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.delivery.programs import PROJECT, Programs

HERE = Path(__file__).parent
_INSTALLS_WITHIN_S = 300
_RUNS_WITHIN_S = 300
STOOD_IN = ("make", "pip", "pip-audit", "gitleaks", "trivy", "skopeo")


@pytest.fixture(scope="session")
def gitlab_ci_local(tmp_path_factory) -> Path:
    """The program, installed as the lock says; skips, with the reason, where that cannot be done."""
    if shutil.which("npm") is None or shutil.which("npx") is None:
        pytest.skip("npm and npx are not on this machine's PATH, and gitlab-ci-local comes from there")
    if shutil.which("rsync") is None:
        pytest.skip("rsync, with which gitlab-ci-local copies a project, is not on this machine's PATH: make setup")
    folder = tmp_path_factory.mktemp("gitlab-ci-local")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "gitlab-ci-local" / name, folder)
    # Without the packages' own scripts: the one that has some, re2, is an option that is compiled.
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    installed = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_INSTALLS_WITHIN_S, check=False
    )
    assert installed.returncode == 0, installed.stderr
    return folder / "node_modules/.bin/gitlab-ci-local"


@dataclass(frozen=True)
class Ended:
    """A pipeline that was run.

    Attributes:
        exit_code: Of gitlab-ci-local: 0 when the pipeline passed.
        output: What it printed.
    """

    exit_code: int
    output: str

    def result(self, job: str) -> str:
        """PASS, FAIL or WARN, as the summary at the end has it; empty when the job was not run."""
        words = [line.split() for line in self.output.splitlines()]
        return next((line[0] for line in words if line[1:2] == [job] and line[0] in {"PASS", "FAIL", "WARN"}), "")


@dataclass(frozen=True)
class Project:
    """A project on GitLab, as far as its pipelines go.

    Attributes:
        folder: Its work tree.
        programs: What its jobs call.
        runner: gitlab-ci-local.
    """

    folder: Path
    programs: Programs
    runner: Path

    def commit(self) -> None:
        """Everything in it, so that the pipeline sees it."""
        identity = ("-c", "user.name=A Person", "-c", "user.email=person@example.com")
        for arguments in (("add", "--all", "--force"), (*identity, "commit", "--quiet", "--message", "Pipeline")):
            subprocess.run(["git", *arguments], cwd=self.folder, check=True, timeout=60)

    def run(self, *arguments: str, **variables: str) -> Ended:
        """Run a pipeline; `manual` jobs only those that are named by `--manual`."""
        settings = [part for name, value in variables.items() for part in ("--variable", f"{name}={value}")]
        done = subprocess.run(
            [
                str(self.runner), *arguments, *settings, "--force-shell-executor", "--shell-isolation", "--no-color",
                "--no-artifacts-to-source", "--concurrency", "2", "--ignore-predefined-vars", ",".join(variables),
            ],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.programs.folder}:{os.environ['PATH']}", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=_RUNS_WITHIN_S, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout)


@pytest.fixture
def project(tmp_path, gitlab_ci_local):
    """Makes a project with this pipeline and our components."""
    folder = tmp_path / "platform"
    folder.mkdir()

    def make(pipeline: str) -> Project:
        (folder / ".gitlab-ci.yml").write_text(pipeline, encoding="utf-8")
        shutil.copytree(PROJECT / "templates", folder / "templates")
        for arguments in (
            ("init", "--quiet", "--initial-branch=main"),
            ("remote", "add", "origin", "git@gitlab.example.com:team/platform.git"),
            ("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"),
        ):
            subprocess.run(["git", *arguments], cwd=folder, check=True, timeout=60)
        made = Project(folder, Programs(tmp_path / "bin", STOOD_IN), gitlab_ci_local)
        for name in ("publish-image", "promote"):
            made.programs.write(folder / "scripts" / name)
        made.programs.write(folder / ".venv/bin/ruff", "touch gl-code-quality-report.json")
        made.commit()
        return made

    return make
