#!/bin/sh
# bits.sh [PROGRAM ...]: checks that every PROGRAM, the `bits` of some build, computes the same
# bits: on 1 to 8 threads, again on 1 and 8, and as the other PROGRAMs, on each instruction set of
# this machine; and that the instruction sets with a fused multiply-add agree. Without a PROGRAM, it
# builds `bits` by gcc and clang at -O0, -O2 and -O3 and without OpenMP, in build-bits-*, and runs
# each on 1, 3 and 8 threads. COUNTS in the environment is another list of numbers of threads.
set -eu
counts=${COUNTS:-1 2 3 4 5 6 7 8 1 8}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ $# = 0 ]; then
    cd "$(dirname "$0")/../.."
    . tests/setup.sh
    counts=${COUNTS:-1 3 8}
    # shellcheck disable=SC2086 -- lists of words
    install $BUILD_TOOLS $LIBRARIES module check check command clang clang command clang libomp-dev
    for compiler in gcc clang; do
        for level in 0 2 3 threadless; do
            folder=build-bits-$compiler-$level
            options=-Doptimization=$level
            [ $level != threadless ] || options=-Dopenmp=disabled
            # shellcheck disable=SC2086 -- a list of words
            CC=$compiler ONLY=tests/bits build "$folder" -Dtests=enabled -Dexamples=disabled \
                -Dwerror=true $options
            set -- "$@" "$folder/tests/bits"
        done
    done
fi

# compare EXPECTED FOUND WHAT: prints the workloads that differ
failed=0
compare() {
    cmp -s "$1" "$2" && return
    failed=1
    echo "$3: other bits:"
    diff "$1" "$2" | sed -n 's/^> [0-9a-f]*/   /p'
}

# waiting threads must not spin, since they may outnumber the processors
export OMP_WAIT_POLICY=passive
runs=0
fused=
for isa in baseline avx2 avx512; do
    first=
    for program in "$@"; do
        for threads in $counts; do
            TG_ISA=$isa OMP_NUM_THREADS=$threads OMP_DYNAMIC=false "$program" >"$work/out" || exit 1
            [ "$(head -n 1 "$work/out")" = "$isa" ] || break 2
            runs=$((runs + 1))
            sed 1d "$work/out" >"$work/now"
            [ -n "$first" ] || { first=$work/$isa; cp "$work/now" "$first"; }
            compare "$first" "$work/now" "$isa, $threads threads, $program"
        done
    done
    [ -n "$first" ] || { echo "$isa: this machine does not have it"; continue; }
    echo "$isa: $(wc -l <"$first") workloads, $(cksum <"$first")"
    [ $isa != baseline ] || continue
    [ -z "$fused" ] || compare "$fused" "$first" "$isa against $(basename "$fused")"
    fused=$first
done
[ $runs -gt 0 ] || { echo "bits: no program ran"; exit 1; }
[ $failed = 1 ] || echo "$runs runs, the same bits"
exit $failed
