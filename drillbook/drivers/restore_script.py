"""Restores a backup where nothing is, to a moment, and looks at what came back: scripts for the backups' host."""

_HEAD = r"""
set -u
umask 077
repository=$1; target=$2; written=$3
scratch=${SCRATCH:-/tmp/restored}; data=$scratch/data; conf=$scratch/pgbackrest.conf
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
# What is compared as text is to be written in one way on both servers.
export PGTZ=UTC PGDATESTYLE=ISO
mkdir -p "$data"
tell() { printf '%s %s\n' "$1" "$(printf '%s' "$2" | tr '\n\r' '  ' | cut -c1-2000)"; }
back() { pgbackrest --config="$conf" --stanza="$STANZA" --repo="$repository" --log-level-console=warn "$@" 2>&1; }
ask() { "$bin/psql" --no-psqlrc --host="$scratch" --username=postgres --dbname="$PGDATABASE" -Atq -c "$1" 2>&1; }
primary() { "$bin/psql" --no-psqlrc -Atq -c "$1" 2>&1; }
since() { tell "$1" "$(($(date +%s%3N) - began))"; }
# Until it takes writes, or has ended: a server that recovers counts as started for pg_ctl.
start() {
  "$bin/pg_ctl" --pgdata="$data" --wait --timeout=150 --silent --log="$scratch/log" \
    --options="-c config_file=$scratch/postgresql.conf" start > /dev/null 2>&1 || return 1
  looks=0
  until [ "$(ask 'SELECT pg_is_in_recovery()')" = f ]; do
    looks=$((looks + 1))
    [ "$looks" -le 750 ] && "$bin/pg_ctl" --pgdata="$data" status > /dev/null 2>&1 || return 1
    sleep 0.2
  done
}
stop() { "$bin/pg_ctl" --pgdata="$data" --wait --timeout=60 --silent --mode=fast stop > /dev/null 2>&1; }

# The repositories as they are; the database is here.
{ cat "${CONFIGURATION:-/etc/pgbackrest}"/conf.d/*.conf
  printf '[%s]\npg1-path=%s\npg1-socket-path=%s\n' "$STANZA" "$data" "$scratch"; } > "$conf"
printf "%s = '%s'\n" data_directory "$data" hba_file "$scratch/hba" listen_addresses '' archive_mode off \
  unix_socket_directories "$scratch" shared_buffers 16MB hot_standby off fsync off > "$scratch/postgresql.conf"
echo 'local all all trust' > "$scratch/hba"
"""

_VERIFY = r"""
said=$(back verify --output=text --verbose); tell verify "$? $said"
"""

_RESTORE = r"""
began=$(date +%s%3N)
# Of this repository alone.
get="pgbackrest --config=$conf --stanza=$STANZA --repo=$repository archive-get %f \"%p\""
said=$(back restore --type=time --target="$target" --target-action=promote --archive-mode=off \
  --recovery-option=restore_command="$get")
tell restore "$? $said"
since restore-ms
# Which backup it is: no two begin with the same segment.
tell from "$(sed -n 's/^START WAL LOCATION: .* (file \([0-9A-F]\{24\}\))$/\1/p' "$data/backup_label" 2> /dev/null)"
tell bytes "$(du -sb "$data" | cut -f1)"
began=$(date +%s%3N)
start; code=$?
tell recovery "$code $(grep -E 'FATAL|PANIC' "$scratch/log" | grep -v 'accepting connections' | tail -n 3)"
since recovery-ms
"""

_SEQUENCES = r"""
  again="SELECT count(*) FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid WHERE d.deptype IN ('a', 'i') AND
    (xpath('//m/text()', query_to_xml(format('SELECT coalesce(max(%I), 0) AS m FROM %I.%I', attname, nspname,
      t.relname), false, true, '')))[1]::text::numeric > coalesce(pg_sequence_last_value(s.oid), 0)"
  tell sequences "$(ask "$again")"
"""

_OBJECTS = r"""
if [ "$code" = 0 ]; then
  tell recovering "$(ask 'SELECT pg_is_in_recovery()')"
  objects="SELECT md5(coalesce(string_agg(concat_ws(' ', nspname, relname, relkind, relispopulated), ','
    ORDER BY nspname, relname), '')) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'i') AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'"
  tell objects "$(ask "$objects")"
  tell objects-of-primary "$(primary "$objects")"
"""

_SOUND = r"""
  ask "SELECT 'restored', key, hash FROM ($written) AS found(key, hash)" | tr '|' ' '
  primary "SELECT 'original', key, hash FROM ($written) AS found(key, hash)" | tr '|' ' '
  tell writes "$(ask 'CREATE TABLE drillbook_write AS SELECT 1 AS n; SELECT count(*) FROM drillbook_write;
    DROP TABLE drillbook_write')"
  stop
  said=$("$bin/pg_checksums" --check --pgdata="$data" 2>&1); tell checksums "$? $said"
  start
  said=$("$bin/pg_amcheck" --host="$scratch" --username=postgres --all --install-missing --heapallindexed \
    --parent-check --no-strict-names 2>&1); tell amcheck "$? $said"
  stop
fi
tell end ""
"""

SCRIPT = _HEAD + _VERIFY + _RESTORE + _OBJECTS + _SEQUENCES + _SOUND
"""Arguments: the repository's number; the moment, as PostgreSQL reads one; a query for keys and hashes of writes."""

_COMPARED = r"""
table=$4; name=${table##*.}; aside=$5
sum="SELECT count(*) || ' ' || coalesce(sum(hashtextextended(it::text, 0)::numeric), 0) FROM"
if [ "$code" = 0 ]; then
  tell recovering "$(ask 'SELECT pg_is_in_recovery()')"
  rows=$(ask "$sum $table it"); tell rows "$rows"
  tell rows-destroyed "$(primary "$sum $aside.$name it")"
"""

_PUT = r"""
  ask "SELECT 'restored', key, hash FROM ($written) AS found(key, hash)" | tr '|' ' '
  PGOPTIONS="-c search_path=$aside,public" primary "SELECT 'original', key, hash FROM ($written) AS found(key, hash)" |
    tr '|' ' '
  began=$(date +%s%3N)
  said=$("$bin/pg_dump" --host="$scratch" --username=postgres --dbname="$PGDATABASE" --table="$table" \
    --file="$scratch/dump.sql" 2>&1); code=$?
  # Nobody sees it before it is whole, and it is not put back unless it is what was restored.
  cat > "$scratch/check.sql" <<CHECK
DO \$check\$ BEGIN
  IF ($sum $table it) <> '$rows' THEN RAISE EXCEPTION 'it is not what was restored'; END IF;
  IF ($sum $aside.$name it) = '$rows' THEN COMMENT ON TABLE $aside.$name IS 'put back whole'; END IF;
END \$check\$;
CHECK
  [ "$code" = 0 ] && said=$(PGAPPNAME=drillbook-put-back "$bin/psql" --no-psqlrc --quiet -At \
    --single-transaction --set=ON_ERROR_STOP=1 --output=/dev/null \
    --file="$scratch/dump.sql" --file="$scratch/check.sql" 2>&1)
  tell put-back "$? $said"
  since put-back-ms
  tell sequences-put-back "$(primary "$again")"
  primary "ANALYZE $table" > /dev/null
  stop
fi
tell end ""
"""

PUT_BACK = _HEAD + _RESTORE + _COMPARED + _SEQUENCES + _PUT
"""Arguments: those of `SCRIPT`; the table, with its schema; the schema in which the destroyed one is kept for now.

The table is destroyed on the primary; what is restored is put back there in one transaction, by the role of the jobs.
"""
