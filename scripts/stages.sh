# Runs the stages of a test run one after the other and says at the end what ran, how long, and what did not and why.
# Sourced by scripts/test and scripts/nightly.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bin=.venv/bin
summary=()
failed=0
kept=""  # folder of what has passed; empty for none

# keep FOLDER: what passes from now on is kept there and not run again, unless it has to be `every_time`.
keep() {
  kept=$1
  mkdir -p "$kept"
}

# every_time NAME COMMAND...: a stage that others stand on.
every_time() {
  local kept=""
  stage "$@"
}

# stage NAME COMMAND...: runs even when an earlier one failed, since each tells something of its own.
stage() {
  local name=$1 started=$SECONDS status=0
  local mark="$kept/${name//[^[:alnum:]]/-}"
  shift
  if [ -n "$kept" ] && [ -e "$mark" ]; then
    summary+=("passed before  $name ($(cat "$mark"))")
    return 0
  fi
  printf '\n=== %s: %s\n' "$name" "$*"
  "$@" || status=$?
  local took=$((SECONDS - started))
  if [ "$status" -eq 0 ]; then
    summary+=("passed   ${took}s  $name")
    [ -z "$kept" ] || printf '%s, %s s\n' "$(date -u +%FT%TZ)" "$took" > "$mark"
  else
    summary+=("FAILED   ${took}s  $name (exit $status)")
    failed=1
  fi
  return "$status"
}

# skip NAME WHY
skip() {
  summary+=("skipped       $1: $2")
}

finish() {
  printf '\n=== what ran\n'
  printf '%s\n' "${summary[@]}"
  exit "$failed"
}
