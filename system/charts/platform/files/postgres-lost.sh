# Read by start.sh. What is on a volume is lost on purpose, and comes back from a repository alone, for a drill or when it
# really is lost. At no time are there two histories that both take writes.
#
# Needs: bin top data new say() own_identity() peer_identity() and, of the environment, STANZA and these ORDERS:
#   lost        do not start; what is here goes aside, as the way back
#   restore-N   onto an empty volume restore repository N alone, as far as its archive goes, and be the primary. What is
#               aside is removed once that takes writes
#   returned    bring back what is aside, unless what came in its place has taken writes

aside=$top/aside

lose_data() {
  rm -rf "$new"
  if [ -s "$data/PG_VERSION" ] && [ ! -e "$aside" ]; then
    mv -T "$data" "$aside"
    sync
  fi
  say "LOST: ordered to have no data; what was here is kept aside."
}

# Argument: the repository's number. Once it is whole it is started as it is, however often.
restore_data() {
  if [ -s "$data/PG_VERSION" ]; then
    say "Restored already: starting what is here."
    return
  fi
  if peer_identity && [ "$peer_recovers" = f ]; then
    say "REFUSED: ordered to be restored, and the other region's server is a primary on timeline $peer_timeline."
    exit 1
  fi
  rm -rf "$new"
  mkdir -m 700 "$new"
  say "Restoring repository $1."
  # Of this repository alone: by itself it would help itself to another one's log.
  pgbackrest --stanza="$STANZA" --repo="$1" --pg1-path="$new" --type=default \
    --recovery-option=restore_command="pgbackrest --stanza=$STANZA --repo=$1 archive-get %f \"%p\"" restore
  rm -f "$new/standby.signal"
  sync
  mv -T "$new" "$data"
  say "Restored $(du -sm "$data" | cut -f1) MiB of repository $1."
}

# Which of two is younger is told by their timelines: whoever has taken writes in its place has begun a new one.
return_data() {
  [ -e "$aside" ] || return 0
  if [ -s "$data/PG_VERSION" ]; then
    own_identity
    kept=$(data=$aside && own_identity && printf %s "$own_timeline")
    if [ "$own_timeline" -gt "$kept" ]; then
      say "What came in place of what is aside has gone on to timeline $own_timeline: it stays."
      rm -rf "$aside"
      return 0
    fi
  fi
  rm -rf "$new"
  if [ -e "$data" ]; then mv -T "$data" "$new"; fi
  mv -T "$aside" "$data"
  sync
  rm -rf "$new"
  say "RETURNED: what was aside is back."
}

# Removes what is aside once the server takes writes. Argument: its process.
forget_aside() {
  while [ -e "$aside" ] && kill -0 "$1" 2> /dev/null; do
    if [ "$("$bin/psql" --host=/run/postgresql --username=postgres --no-psqlrc --tuples-only --no-align postgres \
      --command='SELECT pg_is_in_recovery()' 2> /dev/null)" = f ]; then
      rm -rf "$aside"
      say "What was restored takes writes: what was aside is removed."
      return
    fi
    sleep 1
  done
}
