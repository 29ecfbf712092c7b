# commands.sh: what the tests of textclf's command line share. It is read by them, with TEXTCLF as $1: goes to a temporary folder
# (checks.sh), and runs textclf.
[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: $0 TEXTCLF" >&2; exit 2; }
textclf=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
source=$(cd "$(dirname "$0")/../.." && pwd)
examples=$source/../shared/data
. "$source/tests/checks.sh"
tab=$(printf '\t')

# run ARGUMENT...: textclf, its output in out and err, its exit status in $status
run()
{
    "$textclf" "$@" >out 2>err </dev/null
    status=$?
}

# ran STATUS WHAT: run ended with this status
ran()
{
    check "$2: exit status $1 (it is $status: $(head -n 3 err))" [ "$status" -eq "$1" ]
}

# refused STATUS PATTERN ARGUMENT...: textclf ends with this status and one line, which PATTERN (a grep expression) matches
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

says()
{
    check "$1: \"$2\" in: $(cat "$3")" grep -q -- "$2" "$3"
}
