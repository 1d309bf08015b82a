"""What is told of a run to people who did not watch it, in the two markups that they read it in.

What a run says of itself may hold words of servers and of whoever wrote a feature, so in both markups it can neither
call everybody by name, nor command the server that shows it, nor pass for one of our own lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.verdict import Verdict
from drillbook.domain.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_REASONS = 5
_LONGEST = 300
"""Characters of one reason; a message is for reading, and the report has the whole of it."""

_MARKS = {Verdict.PASS: "\N{WHITE HEAVY CHECK MARK}", Verdict.FAIL: "\N{CROSS MARK}"}
_UNKNOWN = "\N{BLACK QUESTION MARK ORNAMENT}"


@dataclass(frozen=True, slots=True)
class News:
    """What is told of a run.

    Attributes:
        run_id: Which; empty when there is none.
        environment: Name of where it was.
        verdict: None when it came to none.
        counts: How many drills ended with each verdict.
        reasons: Why it did not pass, worst first.
        link: Where the report is; empty when nobody said.
    """

    run_id: str
    environment: str
    verdict: Verdict | None
    counts: Mapping[Verdict, int]
    reasons: tuple[str, ...] = ()
    link: str = ""


def for_slack(news: News) -> str:
    """In Slack's `mrkdwn`, which Mattermost and Rocket.Chat read as well."""
    told = [f"{_mark(news)} *{_slack(_headline(news))}*", _slack(_counted(news))]
    told += [f"\N{BULLET} {_slack(reason)}" for reason in _shown_reasons(news)]
    if _safe(news.link):
        told.append(f"<{news.link}|Report>")
    return "\n".join(line for line in told if line)


def for_gitlab(news: News) -> str:
    """In GitLab's Markdown; a line of a run's own words is code, in which nothing means anything."""
    told = [f"{_mark(news)} **Drillbook:** {_code(_headline(news))}", _counted(news)]
    told += ["\n".join(f"- {_code(reason)}" for reason in _shown_reasons(news))]
    if _safe(news.link):
        told.append(f"[Report](<{news.link}>)")
    return "\n\n".join(paragraph for paragraph in told if paragraph)


def _headline(news: News) -> str:
    verdict = str(news.verdict) if news.verdict is not None else "no verdict"
    return f"{verdict}: {news.environment or 'an environment'}, {news.run_id or 'no run that left anything'}"


def _counted(news: News) -> str:
    found = [f"{count} {verdict}" for verdict in Verdict if (count := news.counts.get(verdict, 0))]
    return f"drills: {', '.join(found)}" if found else ""


def _shown_reasons(news: News) -> list[str]:
    shown = [_cut(reason) for reason in news.reasons[:_MOST_REASONS]]
    more = len(news.reasons) - len(shown)
    return [*shown, *([f"and {more} more, which the report has"] if more else [])]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _mark(news: News) -> str:
    return _MARKS.get(news.verdict, _UNKNOWN) if news.verdict is not None else _UNKNOWN


def _slack(text: str) -> str:
    """Its three characters with a meaning, as its documentation asks; `<!channel>` calls nobody then.

    A backtick, star, underscore or tilde could at most change how our line looks; a look-alike of no meaning stands for
    each.
    """
    shown = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shown.translate({ord("*"): "\u2217", ord("`"): "\u02cb", ord("~"): "\u223c"})


def _code(text: str) -> str:
    """Between more backticks than it has in a row."""
    shown = one_line(text)
    fence = "`"
    while fence in shown:
        fence += "`"
    return f"{fence} {shown} {fence}"


def _safe(link: str) -> bool:
    """Whether it is a link that can neither run something nor end the markup around it."""
    return link.startswith(("https://", "http://")) and link.isprintable() and not set(link) & set(" <>|\"'`\\")
