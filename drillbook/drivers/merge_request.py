"""A merge request on GitLab, which is told by a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drillbook.drivers.outbound import BoundedSession
from drillbook.drivers.transport import reason
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from types import ModuleType

_WITHIN_S = 10.0


class MergeRequest:
    """One merge request."""

    def __init__(self, server: str, project: str, number: str, token: str, *, within_s: float = _WITHIN_S) -> None:
        """Nothing is sent yet.

        Args:
            server: URL of GitLab.
            project: Its id or path.
            number: The merge request's number in the project.
            token: May write comments: of a project or a person, with the scope `api`. A job's own may not.
            within_s: For each request, and again for its answer.

        Raises:
            Unreachable: When python-gitlab is not installed, or the merge request has no number.
        """
        if not number.isascii() or not number.isdigit():
            raise Unreachable(f"{number!r} is no merge request's number")
        self._gitlab = _library()
        self._number = int(number)
        self.name = f"merge request !{self._number}"
        self._api: Any = self._gitlab.Gitlab(
            server, private_token=token, timeout=within_s, session=BoundedSession(within_s)
        )
        self._project: Any = self._api.projects.get(project, lazy=True)

    def send(self, text: str) -> None:
        """One comment.

        Raises:
            Unreachable: When it was not taken.
        """
        notes = self._project.mergerequests.get(self._number, lazy=True).notes
        try:
            # By itself the library waits for as long as a server that is asked too often tells it to.
            notes.create({"body": text}, obey_rate_limit=False, max_retries=0)
        except self._gitlab.GitlabError as error:
            raise Unreachable(f"{self.name} was not told: GitLab answered {error.response_code or error}") from None
        except OSError as error:  # requests' own are some
            raise Unreachable(f"{self.name} was not told: {reason(error)}") from None


def _library() -> ModuleType:
    try:
        import gitlab  # noqa: PLC0415 - an extra, which only those who comment on merge requests need
    except ImportError as error:
        raise Unreachable(
            "merge requests are told by python-gitlab: pip install '.[gitlab]' in Drillbook's checkout"
        ) from error
    return gitlab
