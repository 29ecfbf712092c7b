# commands.sh: shared by the tests of textclf's command line, which read it with TEXTCLF as $1. It
# changes to a temporary folder (checks.sh) and defines functions that run textclf. TG_DATA may name
# a folder of real data, for some more checks.
[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: $0 TEXTCLF" >&2; exit 2; }
textclf=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
source=$(cd "$(dirname "$0")/../.." && pwd)
real_data=${TG_DATA:-}
. "$source/tests/checks.sh"
tab=$(printf '\t')

# run ARGUMENT...: runs textclf; its output is in out and err, its exit status in $status
run()
{
    "$textclf" "$@" >out 2>err </dev/null
    status=$?
}

# ran STATUS WHAT: the last run ended with this status
ran()
{
    check "$2: exit status $1 (it is $status: $(head -n 3 err))" [ "$status" -eq "$1" ]
}

# refused STATUS PATTERN ARGUMENT...: textclf ends with this status and prints one line, which
# matches PATTERN (of grep)
refused()
{
    wanted=$1
    pattern=$2
    shift 2
    run "$@"
    ran "$wanted" "$*"
    check "$*: one line on standard error (it is: $(cat err))" [ "$(wc -l <err)" -eq 1 ]
    check "$*: \"$pattern\" on standard error (it is: $(cat err))" grep -q "^textclf: $pattern" err
}

# says WHAT PATTERN FILE: a line of the file matches the pattern
says()
{
    check "$1: \"$2\" in: $(cat "$3")" grep -q -- "$2" "$3"
}
