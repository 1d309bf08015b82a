"""The conditions of GitLab's `rules:if`, evaluated as GitLab does.

Source: https://docs.gitlab.com/ci/jobs/job_rules/#cicd-variable-expressions
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<variable>\$\w+|\$\{\w+\})
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<pattern>/(?:[^/\\]|\\.)+/[a-z]*)
      | (?P<null>null\b)
      | (?P<operator>==|!=|=~|!~|&&|\|\||\(|\))
    )""",
    re.VERBOSE,
)
_MOST_TOKENS = 200

_Value = str | None


class NotAnExpression(ValueError):
    """GitLab would refuse it as well, or it uses something that is not known here; the text says where."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def holds(expression: str, variables: Mapping[str, str]) -> bool:
    """Whether it holds where these variables are set.

    Raises:
        NotAnExpression: When it is none.
    """
    reader = _Reader(_tokens(expression), expression, variables)
    found = reader.either()
    reader.end()
    return found


def asks(expression: str) -> dict[str, set[str]]:
    """The variables of an expression, each with the texts that it is compared with.

    Raises:
        NotAnExpression: When it is none.
    """
    tokens = _tokens(expression)
    found: dict[str, set[str]] = {_name(token): set() for token in tokens if token.kind == "variable"}
    for left, operator, right in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if operator.text in {"==", "!=", "=~", "!~"}:
            for one, other in ((left, right), (right, left)):
                if one.kind == "variable" and other.kind in {"text", "pattern"}:
                    found[_name(one)].add(other.text.strip("\"'/^$"))
    return found


def _name(token: _Token) -> str:
    return token.text.strip("${}")


@lru_cache(maxsize=1024)
def _tokens(expression: str) -> tuple[_Token, ...]:
    found: list[_Token] = []
    at = 0
    text = expression.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or len(found) > _MOST_TOKENS:
            raise NotAnExpression(f"{expression!r} cannot be understood from {text[at : at + 20]!r} on")
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind]))
        at = match.end()
    return tuple(found)


class _Reader:
    """Reads an expression from the left: `&&` binds more than `||`, and a comparison more than both."""

    def __init__(self, tokens: Sequence[_Token], expression: str, variables: Mapping[str, str]) -> None:
        self._tokens = tokens
        self._expression = expression
        self._variables = variables
        self._at = 0

    def end(self) -> None:
        if self._at != len(self._tokens):
            raise self._wrong()

    def either(self) -> bool:
        found = self._both()
        while self._take("||"):
            right = self._both()
            found = found or right
        return found

    def _both(self) -> bool:
        found = self._comparison()
        while self._take("&&"):
            right = self._comparison()
            found = found and right
        return found

    def _comparison(self) -> bool:
        if self._take("("):
            found = self.either()
            if not self._take(")"):
                raise self._wrong()
            return found
        left = self._value()
        for operator in ("==", "!=", "=~", "!~"):
            if self._take(operator):
                return self._compared(left, operator)
        return bool(left)

    def _compared(self, left: _Value, operator: str) -> bool:
        if operator in {"==", "!="}:
            return (left == self._value()) is (operator == "==")
        token = self._next()
        written = token.text if token.kind == "pattern" else self._of(token) or ""
        pattern, _, flags = written.removeprefix("/").rpartition("/")
        if not pattern or set(flags) - set("i"):
            raise self._wrong()
        try:
            found = re.search(pattern, left or "", re.IGNORECASE if flags else 0) is not None
        except re.error as error:
            raise NotAnExpression(f"{self._expression!r}: {pattern!r} is no pattern: {error}") from error
        return found is (operator == "=~")

    def _value(self) -> _Value:
        return self._of(self._next())

    def _of(self, token: _Token) -> _Value:
        if token.kind == "variable":
            return self._variables.get(_name(token))
        if token.kind == "text":
            return token.text[1:-1]
        if token.kind == "null":
            return None
        raise self._wrong()

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise self._wrong()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, operator: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == _Token("operator", operator):
            self._at += 1
            return True
        return False

    def _wrong(self) -> NotAnExpression:
        rest = " ".join(token.text for token in self._tokens[self._at :]) or "its end"
        return NotAnExpression(f"{self._expression!r} cannot be understood at {rest[:40]!r}")
