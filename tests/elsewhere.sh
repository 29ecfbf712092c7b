#!/bin/sh
# elsewhere.sh [openmp|O0|O2|clang|i386|aarch64|musl ...]: checks that everything builds without a
# warning and passes its tests without OpenMP, with -O0 and -O2, with clang, on 32-bit x86, on
# aarch64 under qemu, and with musl instead of glibc. Without an argument it does all of them, which
# takes hours on two cores. On Debian it installs missing compilers and qemu; it unpacks the
# libraries of other processors only into the folder of the build. It builds in build-openmp,
# build-O0 and so on, and stops at the first failure.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES $FONTS module check check
strict="-Dtests=enabled -Dexamples=enabled -Dwerror=true"

# native KIND OPTION ...: builds for this machine and runs all tests
native() {
    folder=build-$1
    shift
    # shellcheck disable=SC2086 -- a list of words
    build "$folder" $strict "$@"
    run_tests "$folder"
}

elsewhere_openmp() { native openmp -Dopenmp=disabled; }
elsewhere_O0() { native O0 -Doptimization=0; }
elsewhere_O2() { native O2 -Doptimization=2; } # -O3 is the default

elsewhere_clang() {
    install command clang clang command clang libomp-dev
    CC=clang native clang
}

# ---- other processors ----

# private_apt ROOT ARCHITECTURE SOURCES ARGUMENT ...: apt-get with the lists in the folder SOURCES;
# it writes only into ROOT/apt
private_apt() {
    root=$1
    architecture=$2
    sources=$3
    shift 3
    mkdir -p "$root/apt/lists/partial" "$root/apt/archives/partial"
    touch "$root/apt/status"
    apt-get -q -o "APT::Architecture=$architecture" -o "APT::Architectures::=$architecture" \
        -o "Dir::State=$root/apt" -o "Dir::State::status=$root/apt/status" \
        -o "Dir::Cache=$root/apt" -o "Dir::Etc::sourceparts=$sources" \
        -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# once ROOT COMMAND ...: runs a command that fills the folder ROOT, unless ROOT is complete already;
# its output is shown only if it fails
once() {
    [ ! -f "$1/complete" ] || return 0
    mkdir -p "$1"
    folder=$1
    shift
    set +e # in a condition, set -e would have no effect on the command
    (set -e; "$@") >install.log 2>&1
    status=$?
    set -e
    [ $status = 0 ] || { tail -n 20 install.log >&2; exit 1; }
    rm -f install.log
    touch "$folder/complete"
}

# unpack ROOT ARCHITECTURE: unpacks the libraries that the tests need, for another processor, into
# ROOT; their pkg-config files name ROOT
unpack() {
    cd "$1"
    # If a list cannot be read, the packages may be in another one.
    private_apt "$1" "$2" /etc/apt/sources.list.d update || true
    private_apt "$1" "$2" /etc/apt/sources.list.d download check libsubunit-dev libsubunit0 \
        libjansson-dev libjansson4 libutf8proc-dev libutf8proc2 libstb-dev libstb0 libc6
    for package in *.deb; do dpkg-deb -x "$package" .; done
    sed -i "s|=/usr|=$1/usr|" usr/lib/*/pkgconfig/*.pc
}

# listed WORDS: the words as a list of meson
listed() { echo "['$(echo "$1" | sed "s/ /', '/g")']"; }

# cross FAMILY TOOLS LIBRARIES ARGUMENTS [WRAPPER]: meson's description of another machine;
# TOOLS-gcc compiles for it, with ARGUMENTS
cross() {
    cat <<END
[binaries]
c = $(listed "$2-gcc $4")
ar = '$2-ar'
strip = '$2-strip'
pkg-config = 'pkg-config'
${5:+exe_wrapper = $(listed "$5")}
[properties]
pkg_config_libdir = '$3/pkgconfig'
needs_exe_wrapper = $([ -n "${5:-}" ] && echo true || echo false)
[host_machine]
system = 'linux'
cpu_family = '$1'
cpu = '$1'
endian = 'little'
END
}

# Runs on this machine: the programs use the unpacked C library. All tests, also those that compile
# programs.
elsewhere_i386() {
    install command i686-linux-gnu-g++ g++-i686-linux-gnu
    root=$PWD/build-i386-root
    once "$root" unpack "$root" i386
    libraries=$root/usr/lib/i386-linux-gnu
    system=$root/lib/i386-linux-gnu
    arguments="-isystem $root/usr/include -L$libraries -Wl,--dynamic-linker=$system/ld-linux.so.2"
    arguments="$arguments -Wl,-rpath,$system:$libraries:/usr/i686-linux-gnu/lib"
    cross x86 i686-linux-gnu "$libraries" "$arguments" >"$root/cross"
    # shellcheck disable=SC2086 -- a list of words
    build build-i386 $strict --cross-file "$root/cross"
    CXX="i686-linux-gnu-g++ $arguments" PKG_CONFIG_LIBDIR=$libraries/pkgconfig \
        GCONV_PATH=$libraries/gconv run_tests build-i386
}

# qemu is slow: the suites of the library, and four commands of textclf.
elsewhere_aarch64() {
    install command aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu \
        command qemu-aarch64-static qemu-user-static
    root=$PWD/build-aarch64-root
    once "$root" unpack "$root" arm64
    libraries=$root/usr/lib/aarch64-linux-gnu
    qemu="qemu-aarch64-static -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=$libraries"
    arguments="-isystem $root/usr/include -L$libraries -Wl,-rpath-link,$libraries"
    cross aarch64 aarch64-linux-gnu "$libraries" "$arguments" "$qemu" >"$root/cross"
    # shellcheck disable=SC2086 -- a list of words
    build build-aarch64 $strict --cross-file "$root/cross"
    set -- kernels custom_layer
    for suite in attention core inspect layers memory optim; do
        set -- "$@" "$suite, float" "$suite, double"
    done
    OMP_NUM_THREADS=2 run_tests build-aarch64 -t 20 "$@"
    try_textclf "$qemu build-aarch64/textclf"
}

# try_textclf COMMAND: trains a model and uses it; COMMAND starts textclf
try_textclf() {
    folder=$(mktemp -d)
    model=$folder/model.safetensors
    for command in \
        "train builtin:english --epochs 1 -o $model" \
        "eval $model builtin:english" \
        "predict $model good,_really_bad" \
        "explain $model good_film -o $folder/e.html"; do
        echo "textclf $command"
        # shellcheck disable=SC2086 -- lists of words
        $1 $command >"$folder/out" 2>&1 || { cat "$folder/out"; exit 1; }
    done
    rm -r "$folder"
}

# ---- musl ----

# The library, and what of the tests needs no library but that: musl has neither Check nor OpenMP.
elsewhere_musl() {
    install command musl-gcc musl-tools
    CC=musl-gcc PKG_CONFIG_LIBDIR=/nowhere build build-musl -Dtests=disabled -Dexamples=disabled -Dopenmp=disabled -Dwerror=true
    musl-gcc -static -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -I. tests/bits/*.c build-musl/libtapegrad.a \
        -lm -o build-musl/bits
    musl-gcc -static -std=c11 -I. examples/xor.c build-musl/libtapegrad.a -lm -o build-musl/xor-static
    build-musl/xor
    build-musl/xor-static
    sh tests/bits/bits.sh build-musl/bits
}

each_kind elsewhere 'openmp O0 O2 clang i386 aarch64 musl' "$@"
