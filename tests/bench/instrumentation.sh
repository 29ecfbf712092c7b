#!/bin/sh
# instrumentation.sh: measures the cost of the hooks of inspect/ when they are not in use. It builds
# the sources with and without the hooks (the calls of tape->anomaly_hook, the scopes of operators).
# valgrind counts the instructions of the same trainings in both builds, and the results must be the
# same. It prints a line for each training, and exits with 1 if the hooks cost more than 1 %.
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
removed=$(git diff --no-index --numstat core "$work/without/core" |
    awk '{ n += $2 } END { print n + 0 }')
[ "$removed" -eq 3 ] || {
    echo "expected 3 lines with hooks, found $removed: adapt instrumentation.sh to core/"
    exit 1
}
build "$work/built-with" -Dtests=disabled
(cd "$work/without" && build "$work/built-without" -Dtests=disabled)

# valgrind does not support AVX-512.
export TG_ISA=avx2 OMP_NUM_THREADS=1 LC_ALL=C
# count BUILD COMMAND...: runs a program of BUILD; prints the number of instructions; writes the
# output without times to $work/BUILD.out
count() {
    program=$work/$1/$2
    printed=$work/$1.out
    shift 2
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$@" 2>"$work/err" |
        sed 's/ [0-9.]\{1,\}  *[0-9]\{1,\}$//' >"$printed"
    sed -n 's/.*Collected : //p' "$work/err"
}
status=0
model='--encoder lstm --embedding 50 --hidden 50 --epochs 10'
for training in xor "textclf train builtin:documents $model"; do
    # shellcheck disable=SC2086 -- words are meant to split
    with=$(count built-with $training -o "$work/model") &&
        without=$(count built-without $training -o "$work/model")
    awk -v with="$with" -v without="$without" -v what="$training" 'BEGIN {
        cost = 100 * (with - without) / without
        printf "%s\n  %.0f instructions, %.0f without hooks: %+.3f %%\n", what, with, without, cost
        exit !(cost <= 1) }' || status=1
    cmp "$work/built-with.out" "$work/built-without.out" || status=1
done
exit $status
