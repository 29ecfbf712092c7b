#!/bin/sh
# readme.sh XOR: checks that the program in README.md is examples/xor.c, that README.md shows the
# output of XOR, that the tests named in its table of the documents exist, and that the files named
# in the guides exist.
set -eu
xor=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
# block N: the lines between the Nth pair of fences after the heading of the program
block() {
    awk -v wanted="$1" '
        /^## A whole program/ { on = 1 }
        on && /^```/ { fence++; next }
        on && fence == 2 * wanted - 1' README.md
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
block 1 >"$work/program"
block 2 >"$work/output"
[ -s "$work/program" ] && [ -s "$work/output" ] || {
    echo "README.md has no program with its output"
    exit 1
}
diff -u examples/xor.c "$work/program"
"$xor" | diff -u - "$work/output"
# The last column of the table is "SUITE: NAME, NAME; SUITE: NAME". If SUITE is one of the two
# scripts, NAME is a section of it.
awk -F'|' '
    /^\| in the articles/ { on = 1; next }
    on && !/^\|/ { exit }
    on { print $4 }' examples/README.md | tr ';' '\n' |
    sed -n 's/^ *\([a-z_]*\): \(.*[^ ]\) *$/\1:\2/p' >"$work/proofs"
[ "$(wc -l <"$work/proofs")" -ge 24 ] || {
    echo "examples/README.md has no table of the articles"
    exit 1
}
missing() { echo "examples/README.md names the test $suite: $1, which does not exist"; exit 1; }
while IFS=: read -r suite names; do
    case $suite in
    examples)
        [ "$names" = 'the sections of these names' ] ||
            grep -q "^# ---- $names" tests/examples.sh || missing "$names" ;;
    test_cli) grep -q "^# ---- $names" tests/textclf/test_cli.sh || missing "$names" ;;
    *)
        for name in $(echo "$names" | tr -d ,); do
            grep -q "^START_TEST($name)" "tests/$suite"/*.c || missing "$name"
        done ;;
    esac
done <"$work/proofs"

# The files that the guides name exist.
for guide in README.md */README.md; do
    for file in $(grep -o '`[a-z]*/[a-z_0-9/]*\.[a-z]*`' "$guide" | tr -d '`'); do
        [ -e "$file" ] || { echo "$guide names $file, which does not exist"; exit 1; }
    done
done
