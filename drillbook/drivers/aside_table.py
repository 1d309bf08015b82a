"""Destroys a table as a bad migration does, and keeps it aside where no user looks, until it is back or was not needed.

What is kept aside is the undo. A recovery that is drilled takes nothing from it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from drillbook.drivers.libpq import patience
from drillbook.ports import Conflict, TableState, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import LiteralString

ASIDE = "drillbook_aside"
"""Schema of a table that is destroyed."""
WHOLE = "put back whole"
"""Comment on it once all that it has was put back: what its users take away from then on is theirs to take."""
PUTS_BACK = "drillbook-put-back"
"""Name of the session in which one is put back: whoever undoes ends it, since it may outlive the run that began it."""

_CONNECT_S = 3
_LOCKED_WITHIN = "5s"
_LOOKED_WITHIN_S = 10
_CHANGED_WITHIN_S = 120

_END_WHO_PUTS_BACK = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()
"""
_STATE = """
SELECT to_regclass(%(live)s) IS NOT NULL, to_regclass(%(aside)s) IS NOT NULL, there.oid IS NOT NULL,
  coalesce(obj_description(there.oid, 'pg_namespace'), '')
FROM (VALUES (1)) AS one LEFT JOIN pg_namespace there ON there.nspname = %(schema)s
"""
_NOT_PUT_BACK = """
SELECT coalesce(string_agg(DISTINCT found, ', '), '') FROM (
  SELECT 'the view ' || ev_class::regclass::text || ' rests on it'
  FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid
  WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = %(live)s::regclass AND ev_class <> %(live)s::regclass
  UNION ALL SELECT 'the foreign key ' || conname || ' rests on it' FROM pg_constraint
  WHERE contype = 'f' AND confrelid = %(live)s::regclass AND conrelid <> %(live)s::regclass
  UNION ALL SELECT 'the table ' || inhrelid::regclass::text || ' is a part of it'
  FROM pg_inherits WHERE inhparent = %(live)s::regclass
  UNION ALL SELECT 'it is a part of the table ' || inhparent::regclass::text
  FROM pg_inherits WHERE inhrelid = %(live)s::regclass
  UNION ALL SELECT 'the publication ' || pubname || ' has it'
  FROM pg_publication_tables JOIN pg_class c ON c.relname = tablename
  JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = schemaname WHERE c.oid = %(live)s::regclass
  UNION ALL SELECT 'a subscription writes to it' FROM pg_subscription_rel WHERE srrelid = %(live)s::regclass
  UNION ALL SELECT 'pg_dump leaves its statistics ' || stxname || ' out'
  FROM pg_statistic_ext WHERE stxrelid = %(live)s::regclass
  UNION ALL SELECT 'the trigger ' || tgname || ' acts on rows that are added' FROM pg_trigger
  WHERE tgrelid = %(live)s::regclass AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype::int & 4 <> 0
  UNION ALL SELECT 'the rule ' || rulename || ' acts on rows that are added' FROM pg_rewrite
  WHERE ev_class = %(live)s::regclass AND ev_type IN ('2', '3')
  UNION ALL SELECT 'the constraint ' || conname || ' is deferrable' FROM pg_constraint
  WHERE conrelid = %(live)s::regclass AND condeferrable AND contype IN ('p', 'u', 'x')
  UNION ALL SELECT 'the constraint ' || conname || ' is not valid for all rows' FROM pg_constraint
  WHERE conrelid = %(live)s::regclass AND NOT convalidated
  UNION ALL SELECT 'row level security hides rows from its owner' WHERE row_security_active(%(live)s::regclass)
  UNION ALL SELECT 'its owner may not read it and add rows'
  WHERE NOT (has_table_privilege(%(live)s, 'SELECT') AND has_table_privilege(%(live)s, 'INSERT'))
  UNION ALL SELECT 'default privileges would give rights on ' || c.oid::regclass::text || ' that it does not give'
  FROM pg_class c JOIN pg_default_acl d ON d.defaclobjtype = CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END
    AND d.defaclnamespace IN (0, c.relnamespace) AND pg_get_userbyid(d.defaclrole) = current_user
  CROSS JOIN aclexplode(d.defaclacl) given
  WHERE (c.oid = %(live)s::regclass OR c.relkind = 'S' AND c.oid IN (SELECT objid FROM pg_depend
      WHERE classid = 'pg_class'::regclass AND refobjid = %(live)s::regclass AND deptype IN ('a', 'i')))
    AND given.grantee <> d.defaclrole AND NOT EXISTS (
      SELECT FROM aclexplode(c.relacl) had WHERE had.grantee = given.grantee
      AND had.privilege_type = given.privilege_type)
  UNION ALL SELECT 'it has no primary key'
  WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = %(live)s::regclass AND indisprimary)
) AS all_of_them(found)
"""
_KEY = """
SELECT array_agg(attname::text) FROM pg_index
  JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY((indkey::int2[])[0:indnkeyatts - 1])
WHERE indrelid = %s::regclass AND indisprimary
"""
_SAID = "SELECT coalesce(obj_description(%s::regclass, 'pg_class'), '')"
_COLUMNS = """
SELECT array_agg(attname::text) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
# Users draw meanwhile, and a lock would hold them up: `nextval` takes a sequence back for nobody. Where it is far
# behind, `setval` does as well: nobody draws so many numbers between its look and its change.
_MOVE_SEQUENCES_ON = """
WITH owned AS MATERIALIZED (
  SELECT d.refobjid AS owner, a.attname AS name, d.objid::regclass AS sequence, s.seqincrement AS step,
    coalesce(pg_sequence_last_value(d.objid), s.seqstart::numeric - s.seqincrement) AS reached
  FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid
  JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid IN (%(live)s::regclass, %(aside)s::regclass)
), behind AS MATERIALIZED (
  SELECT there.sequence, kept.reached::bigint AS past,
    ceil((kept.reached - there.reached) / there.step)::bigint AS draws
  FROM owned there JOIN owned kept USING (name)
  WHERE there.owner = %(live)s::regclass AND kept.owner = %(aside)s::regclass
)
SELECT CASE WHEN draws > 10000 THEN setval(sequence, past)
  ELSE (SELECT max(drawn) FROM (SELECT nextval(sequence) AS drawn FROM generate_series(1, draws)) AS all_of_them) END
FROM behind WHERE draws > 0
"""


@dataclass(frozen=True, slots=True)
class AsideTable:
    """A table of two regions' database, as its owner.

    Attributes:
        table: With its schema, as in `public.events`.
        home: The region whose server takes writes.
        addresses: Region to its server, as libpq's keywords without a password.
        password: Gives it when it is needed.
    """

    table: str
    home: str
    addresses: Mapping[str, str]
    password: Callable[[], str]

    @property
    def name(self) -> str:
        """With its schema."""
        return self.table

    @property
    def aside(self) -> str:
        """Schema in which it is kept while it is destroyed."""
        return ASIDE

    def state(self, region: str) -> TableState:
        """What a region's server has of it.

        Raises:
            Unreachable: When it does not answer.
        """
        with self._asking(region, f"say whether it has {self.table}", _LOOKED_WITHIN_S) as connection:
            return self._state(connection)

    def destroy(self) -> None:
        """Take it from its users, in one transaction; idempotent.

        Raises:
            Conflict: When it would not come back as it was, whichever way it is put back; nothing is changed then.
            Unreachable: When the server does not answer, or users do not leave it within 5 s.
        """
        with (
            self._asking(self.home, f"destroy {self.table}", _CHANGED_WITHIN_S) as connection,
            connection.transaction(),
        ):
            found = self._state(connection)
            if found.aside and not found.live:
                return
            if found.kept or not found.live:
                raise Conflict(f"nothing is destroyed: {found.said(self.table)}")
            self._run(connection, "SET LOCAL lock_timeout = {}", sql.Literal(_LOCKED_WITHIN))
            self._run(connection, "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", self._live)
            if why := self._one(connection, _NOT_PUT_BACK, {"live": self.table}):
                raise self._kept(why)
            self._try(connection, "DROP TABLE {}", self._live)
            # Whoever committed a change of it has done so before, and nobody commits one after.
            moment = self._one(connection, "SELECT clock_timestamp()::text", [])
            self._run(connection, "CREATE SCHEMA {}", sql.Identifier(ASIDE))
            self._run(connection, "COMMENT ON SCHEMA {} IS {}", sql.Identifier(ASIDE), sql.Literal(moment))
            self._run(connection, "ALTER TABLE {} SET SCHEMA {}", self._live, sql.Identifier(ASIDE))
            self._try(connection, "ALTER TABLE {} SET SCHEMA {}", self._hidden, self._schema)

    def bring_back(self) -> int:
        """Undo it; what was put back meanwhile stays, with every row that it lacked then. Answers how many; idempotent.

        Raises:
            Conflict: When what is there cannot take what is kept aside; both are left as they are.
            Unreachable: When the server does not answer or refuses.
        """
        with self._asking(self.home, f"bring {self.table} back", _CHANGED_WITHIN_S) as connection, \
                connection.transaction():  # fmt: skip
            connection.execute(_END_WHO_PUTS_BACK, [PUTS_BACK])
            found = self._state(connection)
            if not found.kept:
                return 0
            self._run(connection, "SET LOCAL lock_timeout = {}", sql.Literal(_LOCKED_WITHIN))
            added = 0
            if found.aside and not found.live:
                self._run(connection, "ALTER TABLE {} SET SCHEMA {}", self._hidden, self._schema)
            elif found.aside:
                connection.execute(_MOVE_SEQUENCES_ON, {"live": self.table, "aside": self._hidden_name})
                if self._one(connection, _SAID, [self._hidden_name]) != WHOLE:
                    added = self._add_what_lacks(connection)
                self._run(connection, "DROP TABLE {}", self._hidden)
            self._run(connection, "DROP SCHEMA {}", sql.Identifier(ASIDE))
            return added

    def _try(self, connection: psycopg.Connection[Any], statement: LiteralString, *parts: sql.Composable) -> None:
        """What the undo may have to do is done once, and taken back."""
        try:
            with connection.transaction(force_rollback=True):
                self._run(connection, statement, *parts)
        except psycopg.OperationalError:
            raise
        except psycopg.Error as error:
            told = "; ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
            raise self._kept(told or str(error)) from error

    def _kept(self, why: str) -> Conflict:
        return Conflict(f"{self.table} is not destroyed: {why}, and it could not be put back as it was")

    def _add_what_lacks(self, connection: psycopg.Connection[Any]) -> int:
        hidden = self._hidden_name
        columns = sql.SQL(", ").join(map(sql.Identifier, self._one(connection, _COLUMNS, [hidden])))
        same = sql.SQL(" AND ").join(
            sql.SQL("there.{0} = kept.{0}").format(sql.Identifier(name))
            for name in self._one(connection, _KEY, [hidden])
        )
        lacks = sql.SQL("FROM {} kept WHERE NOT EXISTS (SELECT FROM {} there WHERE {})").format(
            self._hidden, self._live, same
        )
        made = connection.execute(
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} {} ON CONFLICT DO NOTHING").format(
                self._live, columns, columns, lacks
            )
        )
        left = self._one(connection, sql.SQL("SELECT count(*) {}").format(lacks), [])
        if left:
            raise Conflict(
                f"{self.table} lacks {left} rows that {hidden} has: something else has their place. Both are left: "
                f"compare them, then DROP SCHEMA {ASIDE} CASCADE"
            )
        return made.rowcount

    def _state(self, connection: psycopg.Connection[Any]) -> TableState:
        names = {"live": self.table, "aside": self._hidden_name, "schema": ASIDE}
        row: Any = connection.execute(_STATE, names).fetchone()
        return TableState(*row)

    @property
    def _live(self) -> sql.Identifier:
        return sql.Identifier(*self.table.split("."))

    @property
    def _schema(self) -> sql.Identifier:
        return sql.Identifier(self.table.partition(".")[0])

    @property
    def _hidden_name(self) -> str:
        return f"{ASIDE}.{self.table.partition('.')[2]}"

    @property
    def _hidden(self) -> sql.Identifier:
        return sql.Identifier(*self._hidden_name.split("."))

    @staticmethod
    def _run(connection: psycopg.Connection[Any], statement: LiteralString, *parts: sql.Composable) -> None:
        connection.execute(sql.SQL(statement).format(*parts))

    @staticmethod
    def _one(connection: psycopg.Connection[Any], query: LiteralString | sql.Composed, arguments: Any) -> Any:
        row: Any = connection.execute(query, arguments).fetchone()
        return row[0]

    @contextmanager
    def _asking(self, region: str, what: str, within_s: float) -> Generator[psycopg.Connection[Any]]:
        try:
            with psycopg.connect(
                self.addresses[region], password=self.password(), autocommit=True, connect_timeout=_CONNECT_S,
                application_name="drillbook", **patience(self.addresses[region]),
                options=f"-c statement_timeout={round(within_s * 1000)} -c TimeZone=UTC -c DateStyle=ISO",
            ) as connection:  # fmt: skip
                yield connection
        except psycopg.Error as error:
            said = str(error).strip().splitlines()
            raise Unreachable(
                f"the database in {region} did not {what}: {said[0] if said else type(error).__name__}"
            ) from error
