# Read by start.sh. What the server on this volume may be: nobody is told by the volume alone that another region has
# gone on without it. Two regions on one timeline, or one behind the other's, would be a split brain.
#
# Needs: bin data new configuration say() and, of the environment:
#   PEER_HOST, PEER_PORT  the other region's server; without one nothing is checked
#   ORDERS    empty: as the volume is. fenced: do not start. standby: follow the peer, whatever this was.
#             primary: start without asking the peer and without a lease; for a person who knows that the peer is gone.
#   LEASE_S   a primary that has had a standby stops when it hears of none for so long; 0: it does not

export LC_ALL=C
has_standby=0

# What this volume holds. A promotion leaves its history file at once, and its checkpoint later.
own_identity() {
  control=$("$bin/pg_controldata" "$data")
  own_system=$(printf '%s\n' "$control" | sed -n 's/^Database system identifier: *//p')
  own_timeline=$(printf '%s\n' "$control" | sed -n "s/^Latest checkpoint's TimeLineID: *//p")
  for history in "$data"/pg_wal/????????.history; do
    [ -e "$history" ] || continue
    name=${history##*/}
    number=$((0x${name%.history}))
    if [ "$number" -gt "$own_timeline" ]; then own_timeline=$number; fi
  done
}

# What the other region's server says it is; fails when it says nothing.
peer_identity() {
  said=$("$bin/psql" --no-psqlrc --tuples-only --no-align --command=IDENTIFY_SYSTEM \
    --command="SELECT pg_is_in_recovery(), (pg_stat_file('promote', true)).size IS NOT NULL" \
    "host=$PEER_HOST port=$PEER_PORT user=replicator dbname=postgres replication=database connect_timeout=3") || return 1
  first=$(printf '%s\n' "$said" | sed -n 1p)
  second=$(printf '%s\n' "$said" | sed -n 2p)
  peer_recovers=${second%%|*}
  peer_promotes=${second#*|}   # it was asked to, and has not begun: it replays what it has first
  peer_system=${first%%|*}
  rest=${first#*|}
  peer_timeline=${rest%%|*}
  case $peer_timeline in ''|*[!0-9]*) return 1 ;; esac
  case $second in [tf]\|[tf]) ;; *) return 1 ;; esac
}

await_peer() {
  until peer_identity; do
    say "The other region's server at $PEER_HOST:$PEER_PORT does not say what it is, and this one does not start" \
      "without knowing; asking again in 2 s. If that region is gone for good, order this one to be primary."
    sleep 2
  done
}

# A standby that was asked to be the primary is one sooner or later, whoever asked it, unless it is started anew.
await_promotion() {
  while [ "$peer_recovers|$peer_promotes" = "t|t" ]; do
    say "The other region's server is being promoted, and this one does not start beside it; asking again in 2 s."
    sleep 2
    await_peer
    if [ "$peer_promotes" = f ]; then sleep 2; await_peer; fi   # it may have begun a moment ago
  done
}

# Returns when the volume's primary may take writes; refuses by ending.
check_primary() {
  [ -n "$PEER_HOST" ] || return 0
  own_identity
  await_peer
  await_promotion
  if [ "$peer_system" != "$own_system" ]; then
    say "REFUSED: the other region holds another database ($peer_system, and this is $own_system)."
    exit 1
  fi
  if [ "$peer_timeline" -gt "$own_timeline" ]; then
    say "REFUSED: the other region has gone on to timeline $peer_timeline, and this primary stands on $own_timeline." \
      "Order it to be a standby; what only it holds is kept until then."
    exit 1
  fi
  if [ "$peer_recovers" = f ]; then
    say "REFUSED: the other region's server is a primary on timeline $peer_timeline already."
    exit 1
  fi
  say "The other region's server is a standby on timeline $peer_timeline: this one (timeline $own_timeline) may start."
  has_standby=1
}

# An empty volume is no reason for a second, empty database beside one that users write to.
check_new_primary() {
  [ -n "$PEER_HOST" ] || return 0
  peer_identity || return 0   # where the first region is set up there is no peer yet
  if [ "$peer_recovers" = f ]; then
    say "REFUSED: this volume is empty, and the other region's server is a primary. Order this one to be a standby."
    exit 1
  fi
}

# A server that was rewound replays from where the last checkpoint of both begins. pg_rewind keeps what was logged since
# that was written; what lies before it, and the peer has removed, would be asked for and never come.
log_reaches_back() {
  [ -e "$data/backup_label" ] || return 0   # it did not have to be rewound
  first=$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]*\)).*/\1/p' "$data/backup_label")
  [ -n "$first" ] && [ -e "$data/pg_wal/$first" ] && return
  say "The log no longer reaches back to ${first:-where it is to be replayed from}."
  return 1
}

# Makes what is on the volume a standby of the peer: as it is where that is possible, rewound where it has gone on by
# itself, copied anew where it cannot be rewound. What is there is removed only once its successor is whole.
follow_peer() {
  await_peer
  if [ "$peer_recovers" = t ]; then
    say "REFUSED: ordered to follow the other region's server, and that is no primary."
    exit 1
  fi
  own_identity
  if [ "$peer_system" != "$own_system" ]; then
    say "REFUSED: ordered to follow another database ($peer_system, and this is $own_system); remove it by hand first."
    exit 1
  fi
  source="host=$PEER_HOST port=$PEER_PORT user=replicator connect_timeout=5"
  if [ ! -e "$data/standby.signal" ] || [ "$own_timeline" -gt "$peer_timeline" ]; then
    say "Rewinding from timeline $own_timeline to the other region's $peer_timeline."
    # pg_rewind knows the source's timeline from its last checkpoint alone.
    if ! { "$bin/psql" --no-psqlrc --quiet --command=CHECKPOINT "$source dbname=postgres" &&
      "$bin/pg_rewind" --target-pgdata="$data" --source-server="$source dbname=postgres" \
        --config-file="$configuration" &&
      log_reaches_back; }; then
      say "It cannot be rewound: copying the other region's server anew."
      PRIMARY_HOST=$PEER_HOST PRIMARY_PORT=$PEER_PORT
      make_standby
      rm -rf "$data.old"
      mv -T "$data" "$data.old"
      mv -T "$new" "$data"
      rm -rf "$data.old"
    fi
  fi
  "$bin/psql" --no-psqlrc --quiet "$source dbname=postgres replication=true" \
    --command="CREATE_REPLICATION_SLOT $REPLICATION_SLOT PHYSICAL RESERVE_WAL" > /dev/null 2>&1 || true   # there already
  settings=$data/postgresql.auto.conf
  grep -v -e '^primary_conninfo' -e '^primary_slot_name' "$settings" > "$settings.new" || true
  {
    printf "primary_conninfo = '%s application_name=%s passfile=%s'\n" "$source" "$REPLICATION_SLOT" "$PGPASSFILE"
    printf "primary_slot_name = '%s'\n" "$REPLICATION_SLOT"
  } >> "$settings.new"
  mv "$settings.new" "$settings"
  touch "$data/standby.signal"
  sync
}

# Ends the server when it is a primary whose standby has been silent for LEASE_S: somebody may be promoting that. A
# primary that found no standby when it started, and has had none since, has none to be overtaken by. Argument: the server's process.
watch_lease() {
  had=$has_standby
  heard=$(cut -d. -f1 /proc/uptime)
  while kill -0 "$1" 2> /dev/null; do
    now=$(cut -d. -f1 /proc/uptime)
    seen=$(timeout 2 "$bin/psql" --host=/run/postgresql --username=postgres --no-psqlrc --tuples-only --no-align postgres \
      --command="SELECT CASE WHEN pg_is_in_recovery() THEN 'standby' WHEN EXISTS (SELECT FROM pg_stat_replication
        WHERE state = 'streaming' AND application_name LIKE 'standby\_%') THEN 'heard' END" 2> /dev/null) || seen=
    case $seen in
      standby) had=0 ;;
      heard) had=1; heard=$now ;;
      *)
        if [ "$had" = 1 ] && [ $((now - heard)) -ge "$LEASE_S" ]; then
          say "FENCED: no standby was heard of for $LEASE_S s, and one that is silent may have been promoted."
          kill -QUIT "$1"   # at once: no commit is answered any more
          return
        fi ;;
    esac
    sleep 1
  done
}
