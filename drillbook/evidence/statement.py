"""The in-toto statement of a run: what every file of it was, and what came out.

Statement v1, https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, with the predicate
https://in-toto.io/attestation/test-result/v0.1. That knows PASSED, WARNED and FAILED: what was inconclusive is FAILED
there, and our own verdict stands in the extension field `drillbook`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drillbook.evidence.record import RunRecord

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
EXTENSION = "drillbook"

ENVELOPE_NAME = "evidence.dsse.json"
TIMESTAMP_NAME = "timestamp.dsse.json"
RELEASE_NAME = "release.dsse.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


class NotAStatement(Exception):
    """A payload is no statement about a run; the text says what it lacks."""


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain of runs.

    Attributes:
        run_id: Of the run.
        sequence: 1 for the first run of a history.
        sha256: Digest of its envelope's file.
    """

    run_id: str
    sequence: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed about a run.

    Attributes:
        run_id: Which.
        verdict: Ours.
        subjects: SHA-256 by file name.
        sequence: Its place in the history.
        previous: The run before it; None for the first.
        timestamp_url: Who was to say when it was signed; empty when nobody was asked.
        signed_s: When, by the signing machine's clock, in seconds since the epoch; to the second.
        drills: Verdict by drill.
    """

    run_id: str
    verdict: Verdict
    subjects: Mapping[str, str]
    sequence: int
    previous: Link | None = None
    timestamp_url: str = ""
    signed_s: float = 0.0
    drills: Mapping[str, Verdict] = field(default_factory=dict[str, Verdict])


def render(
    run: RunRecord, files: Mapping[str, str], *, previous: Link | None, signed_s: float, timestamp_url: str = ""
) -> bytes:
    """The statement as bytes, with one file a line.

    Args:
        run: What its folder says.
        files: SHA-256 by name, of all of it.
        previous: The newest run that was signed before.
        signed_s: Now, in seconds since the epoch.
        timestamp_url: Who will be asked when this was signed; empty for nobody.
    """
    subjects = [_dumped({"name": name, "digest": {"sha256": digest}}) for name, digest in sorted(files.items())]
    predicate = _predicate(run, files)
    predicate[EXTENSION] = {
        "run_id": run.run_id,
        "verdict": str(run.verdict),
        "drillbook_version": run.drillbook_version,
        "environment": {key: run.environment.get(key, "") for key in ("name", "tier")},
        "started": _moment(run.started_s),
        "finished": _moment(run.finished_s),
        "signed": _moment(signed_s),
        "drills": [
            {"id": drill.id, "verdict": str(drill.verdict), "requirements": list(drill.requirements)}
            for drill in run.drills
        ],
        "sequence": previous.sequence + 1 if previous is not None else 1,
        "previous": None
        if previous is None
        else {"run_id": previous.run_id, "sequence": previous.sequence, "digest": {"sha256": previous.sha256}},
        "timestamp": {"url": timestamp_url} if timestamp_url else None,
    }
    lines = (
        "{",
        f'"_type": {_dumped(STATEMENT)},',
        '"subject": [',
        ",\n".join(subjects),
        "],",
        f'"predicateType": {_dumped(TEST_RESULT)},',
        f'"predicate": {_dumped(predicate)}',
        "}",
    )
    return ("\n".join(lines) + "\n").encode()


def read(payload: bytes) -> Statement:
    """A statement that was signed.

    Raises:
        NotAStatement: When the payload is none, or lacks what Drillbook writes into one.
    """
    try:
        document = cast("dict[str, Any]", json.loads(payload))
        if document["_type"] != STATEMENT or document["predicateType"] != TEST_RESULT:
            raise NotAStatement(f"is about {document['predicateType']!r}, and not about the result of a test")
        own = cast("dict[str, Any]", document["predicate"][EXTENSION])
        verdict = Verdict(own["verdict"])
        if document["predicate"]["result"] != _result(verdict):
            raise NotAStatement(f"says {document['predicate']['result']} and {verdict}, which contradict one another")
        before: dict[str, Any] | None = own["previous"]
        return Statement(
            run_id=str(own["run_id"]),
            verdict=verdict,
            subjects=_subjects(document["subject"]),
            sequence=int(own["sequence"]),
            previous=None if before is None else _link(before),
            timestamp_url=str(own["timestamp"]["url"]) if own["timestamp"] else "",
            signed_s=datetime.fromisoformat(own["signed"]).timestamp(),
            drills={str(drill["id"]): Verdict(drill["verdict"]) for drill in own["drills"]},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotAStatement("is no statement about a run: damaged, or written by something else") from error


def _predicate(run: RunRecord, files: Mapping[str, str]) -> dict[str, Any]:
    configuration: list[dict[str, Any]] = [
        {"name": run.environment.get("file", "environment"), "digest": {"sha256": run.environment.get("sha256", "")}}
    ]
    if "environment.yaml" in files:
        configuration.append({"name": "environment.yaml", "digest": {"sha256": files["environment.yaml"]}})
    return {
        "result": _result(run.verdict),
        "configuration": configuration,
        "passedTests": [drill.id for drill in run.drills if drill.verdict is Verdict.PASS],
        "warnedTests": [],
        "failedTests": [drill.id for drill in run.drills if drill.verdict is not Verdict.PASS],
    }


def _result(verdict: Verdict) -> str:
    return "PASSED" if verdict is Verdict.PASS else "FAILED"


def _subjects(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    subjects = {str(subject["name"]): str(subject["digest"]["sha256"]) for subject in found}
    if len(subjects) != len(found) or not all(_SHA256.fullmatch(digest) for digest in subjects.values()):
        raise NotAStatement("names a file twice, or has a digest that is none")
    return subjects


def _link(before: Mapping[str, Any]) -> Link:
    return Link(str(before["run_id"]), int(before["sequence"]), str(before["digest"]["sha256"]))


def _moment(time_s: float | None) -> str | None:
    return None if time_s is None else datetime.fromtimestamp(int(time_s), UTC).isoformat().replace("+00:00", "Z")


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
