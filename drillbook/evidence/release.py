"""What the attestation of a release says: that these images passed, for whoever lets them into production.

An in-toto Simple Verification Result, https://github.com/in-toto/attestation/blob/main/spec/predicates/svr.md. It knows
properties that hold and none that do not, so there is one only where the whole run is PASS.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from drillbook.domain.verdict import Verdict
from drillbook.evidence import folder
from drillbook.evidence.folder import NotARun
from drillbook.evidence.reading import Reader, mapping_of, texts_of
from drillbook.evidence.statement import EXTENSION, STATEMENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from drillbook.evidence.record import DrillRecord, RunRecord
    from drillbook.evidence.statement import Statement

SVR = "https://in-toto.io/attestation/svr/v0.1"
VERIFIER = "urn:drillbook:verifier:release:v1"
"""Names what was looked at; it changes when something else is."""
PASSED = "DRILLBOOK_RELEASE_PASSED"
_IMAGE = re.compile(r"(?:[a-z-]+://)?(?P<name>[^@\s]+)@sha256:(?P<digest>[0-9a-f]{64})")


class NotAttested(Exception):
    """There is nothing to attest; the text says what is missing."""


def problem(payload: bytes, run: Path, said: Statement, sha256: str) -> str:
    """What keeps an attestation from being one about this run; empty when nothing does.

    Args:
        payload: That was signed.
        run: The run's folder.
        said: What was signed about the run.
        sha256: Of the envelope of that.
    """
    try:
        document = cast("dict[str, Any]", json.loads(payload))
        if document["_type"] != STATEMENT or document["predicateType"] != SVR:
            return "is no attestation of a release"
        own = cast("dict[str, Any]", document["predicate"][EXTENSION])
        if own["run"]["digest"]["sha256"] != sha256:
            return f"is about run {own['run']['name']!r} as it was signed another time"
        if {said.verdict, *said.drills.values()} != {Verdict.PASS}:
            return f"attests a release, and the run is {said.verdict}"
        return _too_much(document, folder.read(run, load=False))
    except (NotAttested, NotARun) as error:
        return str(error)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "is no attestation of a release: damaged, or written by something else"


def _too_much(document: Mapping[str, Any], record: RunRecord) -> str:
    """What an attestation claims beyond what the run shows."""
    version, images = released(record, str(document["predicate"][EXTENSION]["release"]))
    subjects = {str(subject["name"]): str(subject["digest"]["sha256"]) for subject in document["subject"]}
    if subjects != images:
        return "is about other images than those that the run let stay"
    more = {str(name) for name in document["predicate"]["properties"]} - {*properties_of(record, version)}
    return f"claims what the run does not show: {', '.join(sorted(more))}" if more else ""


def released(record: RunRecord, release: str) -> tuple[str, dict[str, str]]:
    """The version, and the images that its pods ran from when it was let stay.

    Args:
        record: What the run's folder says.
        release: Empty for the only one.

    Raises:
        NotAttested: When it let none stay, or not this one, or nobody knows its images.
    """
    name = record.run_id
    document = mapping_of(Reader(record.path).document("run.json"))
    released = texts_of(document.get("released"))
    if not released:
        raise NotAttested(f"{name} let no release stay: drill a cutover to one")
    if release not in released and (release or len(released) > 1):
        raise NotAttested(f"{name} let {', '.join(released)} stay, and not {release or 'a single one'}")
    version = release or next(iter(released))
    if not _drills_of(record, version):
        raise NotAttested(f"{name} says that it let {version} stay, and none of its drills that passed has done so")
    listed = texts_of(mapping_of(document.get("images")).get(version))
    images = [_IMAGE.fullmatch(image) for image in listed]
    if not listed or not all(images):
        told = ", ".join(listed) or "none"
        raise NotAttested(f"{name} does not know the digests of the images of {version}: {told}")
    named = {match["name"]: match["digest"] for match in images if match is not None}
    if len(named) != len(listed):
        raise NotAttested(f"the pods of {version} ran from more than one image of the same name: {', '.join(listed)}")
    return version, named


def properties_of(record: RunRecord, version: str) -> list[str]:
    """What holds for a release that a run with PASS let stay: that, and what the drills in which it stayed have proved.

    A drill of a bad release that was taken back proves something about the way back, and nothing about these images.
    """
    ids = {id_ for drill in _drills_of(record, version) for id_ in drill.requirements}
    return [PASSED, *(f"DRILLBOOK_{id_}" for id_ in sorted(ids))]


def _drills_of(record: RunRecord, version: str) -> list[DrillRecord]:
    return [drill for drill in record.drills if drill.let_stay == version and drill.verdict is Verdict.PASS]


def render(version: str, images: Mapping[str, str], record: RunRecord, sha256: str, now_s: float) -> bytes:
    """The statement as bytes.

    Args:
        version: Of the release.
        images: SHA-256 by name.
        record: What the run's folder says.
        sha256: Of the run's own envelope.
        now_s: Seconds since the epoch.
    """
    created = datetime.fromtimestamp(int(now_s), UTC).isoformat().replace("+00:00", "Z")
    document = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(images.items())],
        "predicateType": SVR,
        "predicate": {
            "verifier": {"id": VERIFIER},
            "timeCreated": created,
            "properties": properties_of(record, version),
            EXTENSION: {
                "release": version,
                "environment": {key: record.environment.get(key, "") for key in ("name", "tier", "sha256")},
                "run": {"name": record.run_id, "digest": {"sha256": sha256}},
            },
        },
    }
    return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()
