# checks.sh: sourced by the tests of programs. It makes a temporary folder, enters it, and counts
# checks. There is no set -e: the script goes on after a failed check. It ends with `end_checks`.
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
LC_ALL=C
OMP_NUM_THREADS=1
export LC_ALL OMP_NUM_THREADS
checks=0
failures=0

# check FAULT COMMAND...: counts a check. If COMMAND fails, it prints "failed: FAULT". FAULT states
# what is wrong in that case, not what should hold: check 'the file is missing' [ -e file ]
check()
{
    fault=$1
    shift
    checks=$((checks + 1))
    "$@" && return
    failures=$((failures + 1))
    echo "failed: $fault"
}

skip()
{
    echo "skipped: $1"
}

# end_checks: prints the summary; false if a check failed
end_checks()
{
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ]
}
