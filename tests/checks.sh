# checks.sh: what the tests of programs share. It is read by them: sets up a temporary folder, goes there, and counts checks.
# No set -e: each check is counted and the script goes on; it ends with `end_checks`.
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
LC_ALL=C
OMP_NUM_THREADS=1
export LC_ALL OMP_NUM_THREADS
checks=0
failures=0

# check WHAT COMMAND...: counts; COMMAND has to succeed
check()
{
    what=$1
    shift
    checks=$((checks + 1))
    "$@" && return
    failures=$((failures + 1))
    echo "failed: $what"
}

skip()
{
    echo "skipped: $1"
}

# end_checks: the summary; false if a check failed
end_checks()
{
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ]
}
