"""Asks pgBackRest, where it can be run, what the repositories have and whether WAL gets there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.domain.backup_report import BackupReport, times
from drillbook.domain.pgbackrest import NotUnderstood
from drillbook.drivers.kubernetes_job import PREFIX
from drillbook.drivers.restore_script import PUT_BACK, SCRIPT
from drillbook.ports import Unreachable

if TYPE_CHECKING:
    from drillbook.domain.backup import BackupSchedule
    from drillbook.drivers.kubernetes_job import TemplateJob
    from drillbook.ports import LosableTable

REPORT = """
set -u
patience=--io-timeout=5
ask() {
  pgbackrest --stanza="$STANZA" "$patience" --log-level-console=off --output=json "$@" 2> /dev/null | tr -d '\\n'
  echo
}
etc=${CONFIGURATION:-/etc/pgbackrest}
where() {
  { cat "${PGBACKREST_CONFIG:-$etc/pgbackrest.conf}" "$etc"/conf.d/*.conf 2> /dev/null
    env | sed -n 's/^PGBACKREST_REPO/repo/p' | tr '_A-Z' '-a-z'; } |
    sed -nE "s/^[[:space:]]*repo$1-(type|s3-endpoint|s3-host|storage-host)[[:space:]]*=[[:space:]]*/\\1=/p" |
    sort -u | tr '\\r\\n' '  '
  echo
}
date +%s.%N
said=$(pgbackrest --stanza="$STANZA" "$patience" --log-level-console=warn check 2>&1)
echo "$?"
printf '%s' "$said" | tr '\\n' ' '; echo
ask info
for repository in $REPOSITORIES; do
  printf 'at %s ' "$repository"
  where "$repository"
  printf '%s ' "$repository"
  ask --repo="$repository" --recurse repo-ls "archive/$STANZA"
done
date +%s.%N
"""
"""`check` has a segment of WAL ended, and waits until every repository has it with what was committed before.

Of the settings, which have keys beside them, it tells those alone that say where a repository is.

A store that does not answer is asked again and again: all of this took 18 times the timeout with pgBackRest 2.45. With
its own of 60 s the job's deadline came before a word of the other repository.
"""

BACK_UP = """
set -u
date +%s.%N
status=0
for repository in $REPOSITORIES; do
  said=$(pgbackrest --stanza="$STANZA" --repo="$repository" --type=diff --log-level-console=warn backup 2>&1) ||
    status=1
  printf 'repository %s: %s' "$repository" "$said" | tr '\\n' ' '; echo
done
date +%s.%N
exit "$status"
"""
"""Differential: whoever keeps so many full backups keeps all of them. A repository without one gets a full one."""

_BACKED_UP_WITHIN_S = 600.0
_DEADLINE_S = 240.0
_RESTORED_WITHIN_S = 900.0


@dataclass(frozen=True, slots=True)
class PgBackRest:
    """pgBackRest in a job.

    Attributes:
        jobs: After the template of the backups' own.
    """

    jobs: TemplateJob

    def back_up(self, mark: str) -> tuple[float, float]:
        """Back up into every repository, as a pipeline does before it deploys; what was made stays, as retention says.

        Args:
            mark: Makes the job's name one that nothing else has.

        Returns:
            When it began and when it had ended, by its host's clock, in seconds since the epoch.

        Raises:
            Unreachable: When the job does not come to its end, or a repository has no new backup.
        """
        printed = self.jobs.run(f"{PREFIX}{mark}-backup", ["/bin/sh", "-c", BACK_UP], deadline_s=_BACKED_UP_WITHIN_S)
        try:
            began, ended = times(printed)
        except NotUnderstood as error:
            raise Unreachable(f"what the backup's job printed is not understood: {error}") from error
        return began, ended

    def report(self, mark: str) -> BackupReport:
        """What it says now.

        Args:
            mark: Makes the job's name one that nothing else has.

        Raises:
            Unreachable: When the job does not come to its end, or prints something else than a report.
        """
        printed = self.jobs.run(f"{PREFIX}{mark}-report", ["/bin/sh", "-c", REPORT], deadline_s=_DEADLINE_S)
        try:
            return BackupReport.printed(printed)
        except NotUnderstood as error:
            raise Unreachable(f"what the backups' host printed is no report: {error}") from error

    def schedules(self) -> tuple[BackupSchedule, ...]:
        """The CronJob by whose template it is asked: by it full backups are made.

        Raises:
            Unreachable: When it is not there, or the cluster does not answer or refuses.
        """
        return (self.jobs.schedule(),)

    def restore(self, mark: str, key: int, moment: str, written: str) -> str:
        """Restore one repository's backup to a moment, in a pod of its own that nobody reaches.

        Args:
            mark: Makes the job's name one that nothing else has.
            key: The repository.
            moment: As PostgreSQL reads times.
            written: Query for the key and a hash of what is compared with the primary.

        Raises:
            Unreachable: When the job does not come to its end.
        """
        command = ["/bin/sh", "-c", SCRIPT, "restore", str(key), moment, written]
        return self.jobs.run(f"{PREFIX}{mark}-restore-{key}", command, deadline_s=_RESTORED_WITHIN_S)

    def put_back(self, mark: str, key: int, moment: str, written: str, table: LosableTable) -> str:
        """Restore likewise, and put a table that is destroyed back into the primary, in one transaction.

        Args:
            mark: As for `restore`.
            key: The repository.
            moment: Just before it was destroyed.
            written: As for `restore`.
            table: Which.

        Raises:
            Unreachable: When the job does not come to its end.
        """
        command = ["/bin/sh", "-c", PUT_BACK, "put-back", str(key), moment, written, table.name, table.aside]
        return self.jobs.run(_put_back(mark), command, deadline_s=_RESTORED_WITHIN_S)

    def abandon(self, mark: str) -> None:
        """Remove the job that puts a table back; its pod ends with it, and what it had not committed was never there.

        Raises:
            Unreachable: When the cluster does not answer or refuses.
        """
        self.jobs.remove(_put_back(mark))

    def working(self, mark: str) -> bool:
        """Whether that job is there.

        Raises:
            Unreachable: When the cluster does not answer or refuses.
        """
        return self.jobs.exists(_put_back(mark))


def _put_back(mark: str) -> str:
    return f"{PREFIX}{mark}-put-back"
