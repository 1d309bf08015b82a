"""Tells people how a run has ended. That nobody could be told changes nothing about how it has."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from drillbook.domain.news import News, for_gitlab, for_slack
from drillbook.domain.verdict import Verdict
from drillbook.drivers import credentials
from drillbook.drivers.merge_request import MergeRequest
from drillbook.drivers.webhook import Webhook
from drillbook.evidence import folder
from drillbook.ports import Unreachable
from drillbook.run import redaction

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

WEBHOOK = "DRILLBOOK_WEBHOOK"
TOKEN = "DRILLBOOK_GITLAB_TOKEN"  # noqa: S105 - the variable's name
WITHIN_S = 60.0
"""More than all receivers together take when each uses up its own time."""
_SERVER, _PROJECT, _NUMBER = "CI_SERVER_URL", "CI_PROJECT_ID", "CI_MERGE_REQUEST_IID"


class Receiver(Protocol):
    """Whoever is told."""

    name: str

    def send(self, text: str) -> None:
        """Tell; raises Unreachable when that did not work."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """What came of telling.

    Attributes:
        receivers: Who was told.
        failures: A sentence for each who was not.
    """

    receivers: tuple[str, ...]
    failures: tuple[str, ...]


def news_of(run: Path | None, *, environment: str = "", link: str = "") -> News:
    """What a run's folder says.

    Args:
        run: The folder; None when there is none, which is news as well.
        environment: Where it was, as far as is known without the run.
        link: To its report.
    """
    if run is None:
        return News("", environment, None, {}, ("the drills were refused, or died before they began",), link)
    try:
        record = folder.read(run, load=False)
    except folder.NotARun as error:
        return News("", environment, None, {}, (str(error),), link)
    drills = record.drills
    unproved = [drill for drill in drills if drill.recorded is not Verdict.PASS]
    worst_first = sorted(unproved, key=lambda drill: drill.recorded is not Verdict.FAIL)
    reasons = [f"{drill.scenario}: {_first_line(drill.error)}" for drill in worst_first]
    reasons += [f"{name}: asked for, and left no record" for name in record.missing]
    counts = Counter(drill.recorded for drill in drills if drill.recorded is not None)
    where = record.environment.get("name", "") or environment
    return News(record.run_id, where, record.recorded, counts, tuple(reasons), link)


def tell(news: News, variables: Mapping[str, str]) -> Told:
    """Tell whoever these variables name; never fails.

    Args:
        news: What is told.
        variables: `DRILLBOOK_WEBHOOK`, or `DRILLBOOK_WEBHOOK_FILE` with the path of a file that has it;
            `DRILLBOOK_GITLAB_TOKEN` likewise, with GitLab's own `CI_SERVER_URL`, `CI_PROJECT_ID` and
            `CI_MERGE_REQUEST_IID`.
    """
    receivers: list[str] = []
    failures: list[str] = []
    for reach, text in ((_webhook, for_slack(news)), (_merge_request, for_gitlab(news))):
        try:
            receiver = reach(variables)
            if receiver is not None:
                receiver.send(redaction.text(text))
                receivers.append(receiver.name)
        except Unreachable as error:
            failures.append(redaction.text(str(error)))
        except Exception as error:  # noqa: BLE001 - a verdict stands, whatever a library makes of a strange answer
            failures.append(redaction.text(f"somebody was not told: {type(error).__name__}: {error}"))
    return Told(tuple(receivers), tuple(failures))


def tell_of(
    run: Path | None,
    variables: Mapping[str, str],
    *,
    environment: str = "",
    link: str = "",
    exit_code: int | None = None,
    within_s: float = WITHIN_S,
) -> Told:
    """Read a run and tell of it; never fails, and comes to an end whatever a name server or a disk does.

    Args:
        run: Its folder; None when there is none.
        variables: See `tell`.
        environment: Where it was, as far as is known without the run.
        link: To its report.
        exit_code: With which the run ended, where that is known: a record that says something else is not repeated.
        within_s: Seconds after which nobody waits any longer.
    """
    ended: list[Told] = []

    def work() -> None:
        try:
            news = news_of(run, environment=environment, link=link)
            ended.append(tell(_as_it_ended(news, exit_code), variables))
        except Exception as error:  # noqa: BLE001 - see tell
            ended.append(Told((), (redaction.text(f"nobody was told: {type(error).__name__}: {error}"),)))

    # A daemon: the program's end does not wait for it either.
    thread = threading.Thread(target=work, name="notify", daemon=True)
    thread.start()
    thread.join(within_s)
    return ended[0] if ended else Told((), (f"nobody knows who was told: it did not end within {within_s:g} s",))


def _as_it_ended(news: News, exit_code: int | None) -> News:
    if exit_code is None or news.verdict is None or news.verdict.exit_code == exit_code:
        return news
    differs = f"the run's record says {news.verdict}, and the drills ended with exit code {exit_code}"
    return replace(news, verdict=None, reasons=(differs, *news.reasons))


def _webhook(variables: Mapping[str, str]) -> Receiver | None:
    url = _secret(WEBHOOK, variables)
    return Webhook(url) if url else None


def _merge_request(variables: Mapping[str, str]) -> Receiver | None:
    if not variables.get(_NUMBER) or not (variables.get(TOKEN) or variables.get(f"{TOKEN}_FILE")):
        return None
    missing = [name for name in (_SERVER, _PROJECT) if not variables.get(name)]
    if missing:
        raise Unreachable(
            f"the merge request was not told: a job of GitLab's has {' and '.join(missing)}, and this not"
        )
    return MergeRequest(variables[_SERVER], variables[_PROJECT], variables[_NUMBER], _secret(TOKEN, variables))


def _secret(name: str, variables: Mapping[str, str]) -> str:
    """Of a variable or of the file that it names; from now on it is written nowhere. Empty when neither is set."""
    path = variables.get(f"{name}_FILE", "")
    if not path and not variables.get(name):
        return ""
    found = credentials.read(f"file:{path}" if path else f"env:{name}", variables)
    redaction.learn([found])
    return found


def _first_line(text: str) -> str:
    return text.partition("\n")[0] or "no reason is recorded"
