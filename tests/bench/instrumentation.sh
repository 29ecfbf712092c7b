#!/bin/sh
# instrumentation.sh: what the hooks of inspect/ cost while nothing uses them. The sources are built as they are and once more
# without the hooks (the calls of tape->anomaly_hook, the scopes that operators store); valgrind counts the instructions of the same
# trainings, and the results must be the same. Prints a line for each; exits with 1 where the hooks cost more than 1 %.
set -eu
cd "$(dirname "$0")/../.."
. tests/setup.sh
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES command valgrind valgrind
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/without"
git ls-files | tar -cf - -T - | tar -xf - -C "$work/without"
sed -i -e '/tape->anomaly_hook && .*tape->anomaly_hook(node, /d' -e 's/, \.scope = tape->scope ? tape->scope->path : NULL}/}/' \
    "$work/without/core/op.c" "$work/without/core/tape.c"
removed=$(git diff --no-index --numstat core "$work/without/core" | awk '{ n += $2 } END { print n + 0 }')
[ "$removed" -eq 3 ] || { echo "3 lines have hooks, and $removed were found: core/ has changed"; exit 1; }
build "$work/built-with" -Dtests=disabled
(cd "$work/without" && build "$work/built-without" -Dtests=disabled)

# valgrind knows no AVX-512.
export TG_ISA=avx2 OMP_NUM_THREADS=1 LC_ALL=C
# count BUILD COMMAND...: runs it, with what it prints, but for times, in $work/BUILD.out; prints how many instructions it took
count() {
    program=$work/$1/$2
    printed=$work/$1.out
    shift 2
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>"$work/err" |
        sed 's/ [0-9.]\{1,\}  *[0-9]\{1,\}$//' >"$printed"
    sed -n 's/.*Collected : //p' "$work/err"
}
status=0
for training in xor 'textclf train builtin:documents --encoder lstm --embedding 50 --hidden 50 --epochs 10'; do
    # shellcheck disable=SC2086 -- words are meant to split
    with=$(count built-with $training -o "$work/model") && without=$(count built-without $training -o "$work/model")
    awk -v with="$with" -v without="$without" -v what="$training" 'BEGIN {
        cost = 100 * (with - without) / without
        printf "%s\n  %.0f instructions, %.0f without hooks: %+.3f %%\n", what, with, without, cost
        exit !(cost <= 1) }' || status=1
    cmp "$work/built-with.out" "$work/built-without.out" || status=1
done
exit $status
