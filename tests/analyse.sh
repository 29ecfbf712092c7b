#!/bin/sh
# analyse.sh [asan|tsan|valgrind|analyzer|tidy|cppcheck|coverage ...]: runs sanitizers and
# analysers, and shows the lines that the suites do not reach. Without an argument it runs all of
# them, which takes some hours on two cores. It installs missing packages, builds in build-asan,
# build-tsan and so on, and stops at the first finding.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES $FONTS module check check
library='core layers optim inspect'
suites='attention core inspect layers memory optim'

# of_suites KIND: the names of the suites' tests with the float or the double library, one per line
of_suites() {
    for suite in $suites; do echo "$suite, $1"; done
}

# ten_commands COMMAND...: trains a model and uses it, in ten commands; COMMAND starts textclf
ten_commands() {
    folder=$(mktemp -d)
    model=$folder/model.safetensors
    small='--embedding 16 --hidden 16'
    for command in \
        "train builtin:english $small --epochs 2 --ngrams 2 --max-pool --average 40 \
            --word-dropout 0.1 --checkpoint $folder/ck --checkpoint-interval 0 --report $folder/report.html \
            -o $model" \
        "train builtin:documents $small --encoder transformer --attention multihead --epochs 1 \
            -o $folder/2" \
        "check builtin:english builtin:chinese" \
        "compare builtin:english --epochs 1 --embedding 8 --hidden 8 --seeds 1" \
        "eval $model builtin:english" \
        "predict $model good,_really_bad" \
        "attend $model good_film -o $folder/a.png" \
        "explain $model good_film -o $folder/e.html" \
        "step $model good_film -o $folder/s.html" \
        "tape $model good_film"; do
        echo "textclf $command"
        # shellcheck disable=SC2086 -- lists of words
        echo textclf $command
        # shellcheck disable=SC2086
        "$@" $command >"$folder/out" || { cat "$folder/out"; return 1; }
    done
    rm -r "$folder"
}

analyse_asan() {
    build build-asan -Dtests=enabled -Dexamples=enabled -Dbuildtype=debugoptimized -Dwerror=true \
        -Db_sanitize=address,undefined -Db_lundef=false
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run_tests build-asan
}

# Built by clang: its libomp reports to Archer where threads wait for each other. TSan cannot see
# this in libgomp, and would report every parallel loop as a race. Runs on four threads what uses
# threads; not the double library, whose loops are the same, and not the tests of the command line,
# which use one thread.
analyse_tsan() {
    install command clang clang command clang libomp-dev
    llvm=$(dirname "$(dirname "$(readlink -f "$(command -v clang)")")")
    install file "$llvm/lib/clang/$(clang -dumpversion)/lib/linux/libclang_rt.tsan-x86_64.a" \
        "libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev" \
        file "$llvm/lib/libarcher.so" libomp-dev
    CC=clang build build-tsan -Dtests=enabled -Dexamples=enabled -Dbuildtype=debugoptimized \
        -Dwerror=true -Db_sanitize=thread -Db_lundef=false
    watch="env OMP_NUM_THREADS=4 OMP_TOOL_LIBRARIES=$llvm/lib/libarcher.so"
    watch="$watch TSAN_OPTIONS=ignore_noninstrumented_modules=1"
    # shellcheck disable=SC2086 -- a list of words
    {
        of_suites float
        printf '%s\n' kernels 'textclf, faults' 'fuzz, graph_float' 'fuzz, twins_float'
    } | tr '\n' '\0' |
        xargs -0 $watch meson test -C build-tsan --no-rebuild --print-errorlogs -t 10
    # shellcheck disable=SC2086
    ten_commands $watch build-tsan/textclf
    # shellcheck disable=SC2086
    COUNTS='2 4' $watch sh tests/bits/bits.sh build-tsan/tests/bits
}

# The suites with the float library, and ten commands of textclf. Valgrind does not support AVX-512,
# and the library notices. The memory of libgomp's threads stays reachable, which is not a leak.
analyse_valgrind() {
    install command valgrind valgrind
    build build-valgrind -Dtests=enabled -Dexamples=enabled -Dbuildtype=debugoptimized
    watch="valgrind -q --error-exitcode=9"
    watch="$watch --leak-check=full --errors-for-leak-kinds=definite,indirect"
    of_suites float | tr '\n' '\0' |
        xargs -0 meson test -C build-valgrind --no-rebuild --print-errorlogs -t 20 \
            --wrapper "$watch" kernels
    # shellcheck disable=SC2086 -- a list of words
    ten_commands $watch build-valgrind/textclf
}

# gcc's analyser, for the library and the programs, without optimization, which would hide leaks.
# The tests are left out: they may crash when out of memory. So is the warning about uninitialized
# values: gcc 12 does not see that a loop fills an array. clang-tidy and Valgrind check these
# values.
analyse_analyzer() {
    build build-analyzer -Dtests=disabled -Dexamples=enabled -Dbuildtype=debug -Dwerror=true \
        '-Dc_args=-fanalyzer -Wno-analyzer-use-of-uninitialized-value'
}

# .clang-tidy lists the checks, and why others are left out.
analyse_tidy() {
    install command clang clang command clang libomp-dev command clang-tidy clang-tidy
    CC=clang build build-clang -Dtests=enabled -Dexamples=enabled -Dwerror=true
    git ls-files 'core/*.c' 'layers/*.c' 'optim/*.c' 'inspect/*.c' 'examples/*.c' |
        xargs -P "$(nproc)" -n 4 clang-tidy -p build-clang --quiet
}

analyse_cppcheck() {
    install command cppcheck cppcheck
    git ls-files 'core/*.c' 'layers/*.c' 'optim/*.c' 'inspect/*.c' 'examples/*.c' |
        cppcheck -q -j "$(nproc)" --file-list=- --error-exitcode=1 --std=c11 --library=posix -I. \
            -DTG_HAS_ISA_LEVELS -DTG_ISA_SUFFIX=_baseline \
            --enable=warning,style,performance,portability --suppressions-list=tests/cppcheck.txt
}

# The lines that the suites of the library reach: at least 95 % of them. The lines about functions
# are removed from gcov's output: gcovr fails if a function is on different lines in float and in
# double.
analyse_coverage() {
    install command gcovr gcovr
    build build-coverage -Dtests=enabled -Dexamples=disabled -Dbuildtype=debug -Db_coverage=true
    { of_suites float; of_suites double; } | tr '\n' '\0' |
        xargs -0 meson test -C build-coverage --no-rebuild --print-errorlogs -t 5 kernels
    cat >build-coverage/gcov.sh <<'END'
#!/bin/sh
gcov "$@" && find . -maxdepth 1 -name "*.gcov" -exec sed -i "/^function /d" {} +
END
    chmod +x build-coverage/gcov.sh
    # shellcheck disable=SC2086,SC2046 -- lists of words
    gcovr -r . --gcov-executable "$PWD/build-coverage/gcov.sh" $(printf ' -f %s/' $library) \
        --fail-under-line 95 build-coverage
}

each_kind analyse 'asan tsan valgrind analyzer tidy cppcheck coverage' "$@"
