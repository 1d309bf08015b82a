"""Judges a run again: speaks its scenarios' sentences once more, over what its folder holds.

`python -m features.rejudge RUN` is what `drillbook evidence rejudge` starts. Exit code 0 when every verdict was derived
and agrees, 1 when one does not, 75 when something cannot be derived, 2 when there is no such run.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drillbook.domain.verdict import Verdict
from drillbook.drills import replay
from drillbook.evidence import chain, envelope, folder, rejudge, statement, witness
from drillbook.evidence.envelope import NotAuthentic
from drillbook.evidence.reading import Reader, mapping_of, texts_of
from drillbook.evidence.rejudge import Derived, Rejudged
from drillbook.evidence.statement import ENVELOPE_NAME, NotAStatement
from drillbook.evidence.text import printable
from drillbook.run.experiment import read_journal
from drillbook.run.planning import STATIC
from drillbook.run.stopping import told
from features import scenarios
from features.sentences import say
from probes.capacity import FILE as CAPACITY
from probes.migration import NEWER, OLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from drillbook.drills.drill import Drill
    from drillbook.evidence.rejudge import Opinion

EXIT_REFUSED = 2


def judge(run: Path) -> Rejudged:
    """Judge a run again.

    Raises:
        NotARun: When there is no such folder.
    """
    recorded = folder.read(run)
    reader = Reader(run)
    ended = mapping_of(reader.document("run.json"))
    same = recorded.versions.get(scenarios.VERSION) == scenarios.sha256()
    opinions = [
        rejudge.drill(drill, _held_to_its_scenario(reader, drill.id, _derive(reader, drill.id), same=same), same=same)
        for drill in recorded.drills
    ]
    return rejudge.run(
        recorded,
        opinions,
        interrupted=ended.get("interrupted") is True,
        left_changed=ended.get("left_changed") is True,
        signed=_signed(run),
    )


def _derive(reader: Reader, id_: str) -> Derived:
    load = f"drills/{id_}/load"
    document = mapping_of(reader.document(f"drills/{id_}/drill.json"))
    if STATIC in texts_of(document.get("tags")):
        return _inspect(reader, id_, document)
    differences: list[str] = []
    for users in (load, *(f"drills/{id_}/{who}/load" for who in (OLDER, NEWER, *_steps_held(reader, id_)))):
        differences += witness.differences(reader, users)
    try:
        drill = replay.drill(reader.root, id_, document)
    except replay.NotKept as error:
        return Derived((), (str(error),), tuple(differences), _recorded_doubts(document))
    differences += _outside(reader, load, drill)
    lacking: list[str] = []
    for sentence in drill.sentences:
        kind, _, text = sentence.partition(" ")
        if kind == "then":
            lacking += _tried(f"“{text}”", functools.partial(say, drill, text), _raised(document))
    lacking += _tried("how the drill ended", functools.partial(replay.judge_the_way_back, drill))
    lacking += _tried("whether the release was fit", drill.check_unexpected)
    return Derived(
        tuple(drill.judgements),
        tuple(lacking),
        tuple(differences),
        (*_doubts(reader, drill), *_recorded_doubts(document)),
    )


def _held_to_its_scenario(reader: Reader, id_: str, derived: Derived, *, same: bool) -> Derived:
    """With what the record of a drill leaves out of its scenario, or adds to it.

    Args:
        reader: Of the run's folder.
        id_: The drill's.
        derived: What its record gives.
        same: Whether the run was made with these features and probes; else nobody can tell what a sentence was then.
    """
    document = mapping_of(reader.document(f"drills/{id_}/drill.json"))
    if not document:
        return derived
    feature, scenario = str(document.get("feature")), str(document.get("scenario"))
    right = scenarios.known().get((feature, scenario))
    if right is None:
        lacks = f"what was promised cannot be derived: “{feature}: {scenario}” is no scenario of this version"
        return replace(derived, lacking=(*derived.lacking, lacks))
    spoken, tags = texts_of(document.get("sentences")), texts_of(document.get("tags"))
    found = scenarios.deviations(right, spoken, tags, cut_short=_cut_short(document))
    if same:
        return replace(derived, differences=(*derived.differences, *found))
    lacks = [f"what was promised cannot be derived, as other features were drilled: {one}" for one in found]
    return replace(derived, lacking=(*derived.lacking, *lacks))


def _cut_short(document: Mapping[str, Any]) -> bool:
    """Whether something was raised; a record that does not list that has it in its reasons."""
    return bool(document["raised"] if "raised" in document else _recorded_doubts(document))


def _steps_held(reader: Reader, id_: str) -> list[str]:
    """Folders of the rates that a search for the highest one has held, the one at which it broke off included."""
    record = mapping_of(reader.document(f"drills/{id_}/{CAPACITY}", needed=False))
    rates: Any = [*(record.get("steps") or []), *([record["begun"]] if record.get("begun") else [])]
    return [str(mapping_of(rate).get("folder")) for rate in rates]


def _inspect(reader: Reader, id_: str, document: Mapping[str, Any]) -> Derived:
    """A scenario about files: all its sentences are spoken again, over the files that it kept."""
    try:
        made = replay.inspection(reader.root, id_, document)
    except replay.NotKept as error:
        return Derived((), (str(error),), (), _recorded_doubts(document))
    lacking: list[str] = []
    for sentence in made.sentences:
        kind, _, text = sentence.partition(" ")
        lacking += _tried(f"“{text}”", functools.partial(say, made, text, kind), _raised(document))
    return Derived(tuple(made.judgements), tuple(lacking), (), _recorded_doubts(document))


def _raised(document: Mapping[str, Any]) -> tuple[str, ...]:
    """What its sentences raised then, in their order."""
    return str(document.get("raised")), *texts_of(document.get("unjudged"))


def _tried(what: str, derive: Callable[[], None], raised: Collection[str] = ()) -> list[str]:
    """A sentence when something cannot be derived: data that are gone or damaged raise whatever they raise.

    What was raised then, and is raised again, is derived: the drill proves nothing by it.
    """
    try:
        derive()
    except Exception as error:  # noqa: BLE001 - said, and it keeps the run from agreeing
        return [] if told(error) in raised else [f"{what} cannot be derived: {told(error)}"]
    return []


def _outside(reader: Reader, load: str, drill: Drill) -> list[str]:
    seen = drill.seen.document()["window"]
    return [] if seen is None else witness.window_differences(reader, load, (seen[0], seen[1]))


def _doubts(reader: Reader, drill: Drill) -> list[str]:
    """What the drill doubts now, and what its experiment's journal gives to doubt."""
    journal = reader.document(f"drills/{drill.id}/journal.json", needed=False)
    problems = read_journal(journal, []).problems if journal is not None else ()
    return [*drill.doubts, *(() if drill.expects("validate_release") else problems)]


def _recorded_doubts(document: Mapping[str, Any]) -> tuple[str, ...]:
    """What it doubted then; of a record that does not list it, what its reasons say."""
    if "doubts" in document:
        raised = document.get("raised")
        return (*texts_of(document["doubts"]), *([str(raised)] if raised else []), *texts_of(document.get("unjudged")))
    lines = str(document.get("error") or "").splitlines()
    return tuple(line for line in lines if line.startswith(f"{Verdict.INCONCLUSIVE}: "))


def _signed(run: Path) -> Verdict | None:
    """The verdict of the statement that lies in the folder, whoever signed it."""
    try:
        return statement.read(envelope.parsed(chain.read_envelope(run / ENVELOPE_NAME)).payload).verdict
    except (OSError, NotAuthentic, NotAStatement):
        return None


def _lines(found: Rejudged) -> Iterator[str]:
    for opinion in found.drills:
        yield from _of_drill(opinion)
    yield from (f"DIFFERS  {difference}" for difference in found.differences)
    word = {
        Verdict.PASS: "agrees with what is recorded",
        Verdict.FAIL: "is not what is recorded",
        Verdict.INCONCLUSIVE: "cannot all be derived",
    }[found.agreement]
    yield f"judged again: {found.verdict}, which {word}"


def _of_drill(opinion: Opinion) -> Iterator[str]:
    yield f"{opinion.drill}: {opinion.verdict}, {opinion.agreed} checks agree"
    for word, sentences in (
        ("DIFFERS", opinion.differences), ("LACKS  ", opinion.lacking), ("note   ", opinion.remarks),
    ):  # fmt: skip
        yield from (f"  {word}  {sentence}" for sentence in sentences)


def main() -> int:
    """Judge the run that the command line names."""
    try:
        found = judge(Path(sys.argv[1]))
    except (IndexError, folder.NotARun) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_REFUSED
    sys.stdout.write("".join(f"{printable(line)}\n" for line in _lines(found)))
    return found.agreement.exit_code


if __name__ == "__main__":
    sys.exit(main())
