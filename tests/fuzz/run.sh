#!/bin/sh
# run.sh [SECONDS [TARGET...]]: installs missing packages, builds the fuzzers in build-fuzz/ (clang,
# libFuzzer, AddressSanitizer, UBSan), and runs each TARGET (all) for SECONDS (10). A fuzzer starts
# from the committed corpus and from the inputs that earlier runs have saved in build-fuzz/corpus.
# At the first finding the script prints the path of the input and ends with a status other than 0.
set -eu
cd "$(dirname "$0")/../.."
. tests/setup.sh
seconds=${1:-10}
[ $# -eq 0 ] || shift
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES $FONTS module check check command clang clang
version=$(clang -dumpversion)
version=${version%%.*}
target='int LLVMFuzzerTestOneInput(void) { return 0; }'
if ! echo "$target" | clang -x c -fsanitize=fuzzer -fopenmp -o /dev/null - 2>/dev/null; then
    # There are no such commands: both packages are installed.
    install command libFuzzer "libclang-rt-$version-dev" command libomp libomp-dev
fi
ONLY=fuzzers CC=clang build build-fuzz -Dfuzz=enabled -Dtests=enabled -Dexamples=enabled \
    -Dbuildtype=debugoptimized -Dwerror=true -Db_sanitize=address,undefined -Db_lundef=false
ASAN_OPTIONS=allocator_may_return_null=1
UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
OMP_NUM_THREADS=1
export ASAN_OPTIONS UBSAN_OPTIONS OMP_NUM_THREADS

[ $# -gt 0 ] ||
    set -- params model data vectors tokens options graph graph_float twins twins_float
mkdir -p build-fuzz/found
for target; do
    saved=build-fuzz/corpus/$target
    log=build-fuzz/$target.log
    mkdir -p "$saved"
    # -close_fd_mask: the messages of the program would fill the disk; those of libFuzzer and the
    # sanitizers still go to the log.
    fuzzer=build-fuzz/tests/fuzz/fuzz_$target
    if ! "$fuzzer" -max_total_time="$seconds" -timeout=30 -rss_limit_mb=2048 -malloc_limit_mb=512 \
        -close_fd_mask=3 -print_final_stats=1 -artifact_prefix="$PWD/build-fuzz/found/$target-" \
        "$PWD/$saved" "$PWD/tests/fuzz/corpus/${target%_float}" >"$log" 2>&1; then
        found=$(sed -n 's/.*Test unit written to //p' "$log")
        echo "$target: found a fault; repeat it with $fuzzer $found" >&2
        if [ -n "$found" ]; then
            "$fuzzer" "$found" 2>&1 | tail -n 30 >&2
        else
            tail -n 30 "$log" >&2
        fi
        exit 1
    fi
    awk -v target="$target" '
        /number_of_executed_units/ { runs = $2 }
        / cov: / { sub(/.* cov: /, ""); reached = $1 }
        END { printf "%-12s %9d executions reached %6d edges\n", target, runs, reached }' "$log"
done
