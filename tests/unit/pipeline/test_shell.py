"""A script counts for what it is sure to do, and only if the job fails when that does."""

from __future__ import annotations

import pytest

from drillbook.domain.shell import Tool, runs_any

SCAN = Tool(r"trivy image", asks=r"--exit-code[ =][1-9]", spoiled_by=r"--exit-code[ =]0")


@pytest.mark.parametrize(
    "script",
    [
        "trivy image --exit-code 1 x", "make it && trivy image --exit-code=1 x", "FOO=1 trivy image --exit-code 2 x",
        "/usr/bin/trivy image --exit-code 1 x", "exec .venv/bin/trivy image --exit-code 1 x",
        "cd x; trivy image --exit-code 1 x", "trivy image --exit-code 1 x | tee report",
        "set -e\ntrivy image --exit-code 1 x",
        "trivy image \\\n  --exit-code 1 x", 'trivy image --exit-code 1 "$A && b"',
    ],
)  # fmt: skip
def test_what_counts(script) -> None:
    assert runs_any([script], (SCAN,))


@pytest.mark.parametrize(
    "script",
    [
        "trivy image x", "trivy image --exit-code 0 x", "trivy image --exit-code 1 --exit-code 0 x",
        "# trivy image --exit-code 1 x", "echo trivy image --exit-code 1 x", 'echo "a && trivy image --exit-code 1 x"',
        "trivy image --exit-code 1 x || true", "trivy image --exit-code 1 x ||:", "true || trivy image --exit-code 1 x",
        "trivy image --exit-code 1 x &", "set +e\ntrivy image --exit-code 1 x",
        "set +euo pipefail; trivy image --exit-code 1 x",
        "exit 0\ntrivy image --exit-code 1 x", "if false; then\n  trivy image --exit-code 1 x\nfi",
        "if ! trivy image --exit-code 1 x; then echo bad; fi", "! trivy image --exit-code 1 x",
        "cat <<END\ntrivy image --exit-code 1 x\nEND", "trivy image --exit-code 1 'x",
        "for i in a; do trivy image --exit-code 1 x; done",
        "(trivy image --exit-code 1 x; true)", "trivyimage --exit-code 1 x",
        "trivy imagery --exit-code 1", "", "trivy image '--exit-code' x",
    ],
)  # fmt: skip
def test_what_does_not(script) -> None:
    assert not runs_any([script], (SCAN,))


def test_what_an_earlier_entry_loosens_stays_loose() -> None:
    assert not runs_any(["set +e", "trivy image --exit-code 1 x"], (SCAN,))
    assert runs_any(["true", "trivy image --exit-code 1 x"], (SCAN,))
