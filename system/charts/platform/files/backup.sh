#!/bin/sh
# Backs up into every repository, the first time after making them ready. On a standby there is nothing to do: its
# primary is backed up in its own region.
set -eu
kind=${1:?usage: backup.sh full|diff}

say() { printf '%s backup.sh: %s\n' "$(date -u +%FT%TZ)" "$*"; }

case $(psql --no-psqlrc --tuples-only --no-align --command='SELECT pg_is_in_recovery()') in
  t) say "This is a standby: no backup is made here."; exit 0 ;;
  f) ;;
  *) say "The database does not say whether it is a primary."; exit 1 ;;
esac
status=0
# It asks all of them at once, and a repository that is away must not keep the other one from its backup.
pgbackrest --stanza="$STANZA" stanza-create || status=1
for repository in $REPOSITORIES; do
  if pgbackrest --stanza="$STANZA" --repo="$repository" --type="$kind" backup; then
    say "Backed up into repository $repository."
  else
    say "Repository $repository has no new backup."
    status=1
  fi
done
exit "$status"
