#!/bin/sh
# Starts PostgreSQL. On an empty volume it first makes a primary (roles and database included) or copies one as its
# standby. What is on the volume already stays what it is, whatever ROLE says: a promoted standby restarts as a primary,
# if guard.sh finds that no other region has gone on without it.
set -eu

bin=/usr/lib/postgresql/15/bin
top=/var/lib/postgresql
data=$top/data
new=$top/new
secrets=/run/secrets/postgres
configuration=/etc/postgresql/postgresql.conf
export PGPASSFILE=/run/postgresql/pgpass   # postgresql.auto.conf of a standby names this file
umask 077
trap 'exit 143' TERM INT   # the first process of a container ignores what it has no trap for

say() { printf '%s start.sh: %s\n' "$(date -u +%FT%TZ)" "$*"; }

printf '*:*:*:replicator:%s\n' "$(cat "$secrets/replication")" > "$PGPASSFILE"

make_primary() {
  say "The volume is empty: making a primary."
  "$bin/initdb" --pgdata="$new" --username=postgres --pwfile="$secrets/superuser" --auth=scram-sha-256 \
    --data-checksums --encoding=UTF8 --locale=C.UTF-8 > /dev/null
  # Without TCP, so that nobody finds it half made.
  "$bin/pg_ctl" --pgdata="$new" --wait --timeout=60 --silent \
    --options="-c config_file=$configuration -c data_directory=$new -c listen_addresses='' -c archive_mode=off" start
  "$bin/psql" --host=/run/postgresql --username=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
    --set=replication="$(cat "$secrets/replication")" --set=app="$(cat "$secrets/app")" \
    --set=recovery="$(cat "$secrets/recovery")" postgres <<'SQL'
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replication';
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text, boolean, boolean) TO replicator;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text, boolean) TO replicator;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text) TO replicator;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean) TO replicator;
GRANT pg_checkpoint TO replicator;
-- Who promotes, cuts off and holds writes; reads no table, and makes one of its own to see whether writes are taken.
CREATE ROLE recovery LOGIN PASSWORD :'recovery' IN ROLE pg_monitor, pg_signal_backend, pg_checkpoint;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_promote(boolean, integer), pg_catalog.pg_reload_conf(),
  pg_catalog.pg_show_all_file_settings() TO recovery;
GRANT SELECT ON pg_catalog.pg_file_settings TO recovery;
GRANT CREATE ON DATABASE postgres TO recovery;
GRANT ALTER SYSTEM ON PARAMETER default_transaction_read_only, primary_conninfo TO recovery;
CREATE ROLE analytics LOGIN PASSWORD :'app';
CREATE DATABASE analytics OWNER analytics;
SQL
  "$bin/pg_ctl" --pgdata="$new" --wait --timeout=60 --silent --mode=fast stop
}

make_standby() {
  deadline=$(($(date +%s) + 240))
  conninfo="host=$PRIMARY_HOST port=$PRIMARY_PORT user=replicator connect_timeout=5"
  say "Copying the primary $PRIMARY_HOST:$PRIMARY_PORT."
  until
    rm -rf "$new"
    # The slot may be there from an earlier try; creating it again says so and does no harm.
    "$bin/psql" --no-psqlrc --quiet "$conninfo application_name=standby dbname=postgres replication=true" \
      --command="CREATE_REPLICATION_SLOT $REPLICATION_SLOT PHYSICAL RESERVE_WAL" > /dev/null 2>&1 || true
    "$bin/pg_basebackup" --dbname="$conninfo application_name=$REPLICATION_SLOT" --pgdata="$new" \
      --wal-method=stream --slot="$REPLICATION_SLOT" --write-recovery-conf --checkpoint=fast
  do
    if [ "$(date +%s)" -gt "$deadline" ]; then
      say "The primary could not be copied within 240 s; giving up, to be started again."
      exit 1
    fi
    say "The primary cannot be copied yet; trying again in 2 s."
    sleep 2
  done
}

ORDERS=${ORDERS:-}
. /etc/postgresql/guard.sh
. /etc/postgresql/lost.sh

case $ORDERS in
  fenced) say "FENCED: ordered not to start. What is on the volume is kept."; exit 1 ;;
  lost) lose_data; exit 1 ;;
  restore-[0-9]) restore_data "${ORDERS#restore-}" ;;
  returned) return_data ;;
esac
if [ ! -s "$data/PG_VERSION" ]; then
  if [ -e "$aside" ] && [ "$ORDERS" != standby ]; then
    say "REFUSED: what was on this volume is aside, and no other database is made in its place. Order returned, or restore-N."
    exit 1
  fi
  rm -rf "$new"
  if [ "$ORDERS" = standby ]; then
    await_peer
    if [ "$peer_recovers" = t ]; then
      say "REFUSED: ordered to follow the other region's server, and that is no primary."
      exit 1
    fi
    PRIMARY_HOST=$PEER_HOST PRIMARY_PORT=$PEER_PORT
    make_standby
  else
    if [ "$ROLE$ORDERS" = primary ]; then check_new_primary; fi
    "make_$ROLE"
  fi
  sync
  mv -T "$new" "$data"   # only what is whole gets the name that counts
  rm -rf "$aside"        # of a history that has ended: what was copied is a primary's
elif [ "$ORDERS" = standby ]; then
  follow_peer
elif [ ! -e "$data/standby.signal" ]; then
  case $ORDERS in primary|restore-*) ;; *) check_primary ;; esac
fi

say "Starting."
"$bin/postgres" -c "config_file=$configuration" &
server=$!
case $ORDERS in restore-*) forget_aside "$server" & ;; esac
# An order to be the primary is none to a standby; promoted later, it has a lease.
if [ "$LEASE_S" -gt 0 ] && { [ "$ORDERS" != primary ] || [ -e "$data/standby.signal" ]; }; then
  watch_lease "$server" &
fi
# To PostgreSQL SIGTERM means: wait until every client has gone. The kubelet would kill it before that.
trap 'kill -INT "$server"' TERM INT
status=0
wait "$server" || status=$?
while kill -0 "$server" 2> /dev/null; do
  status=0
  wait "$server" || status=$?
done
exit "$status"
