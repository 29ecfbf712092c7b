#!/bin/sh
# install.sh BUILD PLAIN CC...: checks the files that `meson install` installs, and that programs
# can be built with them: by pkg-config in C and C++, shared and static, and with tapegrad as a
# subproject of meson. CC is the compiler of BUILD; $CXX compiles C++ for the same machine. PLAIN is
# false if programs need the flags of sanitizers or coverage tools to link the libraries. It writes
# only into a temporary folder.
[ $# -ge 3 ] && [ -f "$1/build.ninja" ] || { echo "usage: $0 BUILD PLAIN CC..." >&2; exit 2; }
build=$(cd "$1" && pwd)
plain=$2
shift 2
cc=$*
source=$(cd "$(dirname "$0")/.." && pwd)
. "$source/tests/checks.sh"

# quietly COMMAND...: prints the output of COMMAND only if it fails
quietly()
{
    "$@" >output 2>&1 && return
    cat output
    return 1
}

# ---- installed files ----

check 'meson install fails' quietly meson install -C "$build" --no-rebuild --destdir "$work/root"
root=$work/root
pc=$(find "$root" -name tapegrad.pc)
[ -n "$pc" ] || { echo "failed: no tapegrad.pc is installed"; exit 1; }
PKG_CONFIG_PATH=$(dirname "$pc")
PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
variable() { echo "$root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable="$1" tapegrad)"; }
prefix=$(variable prefix)
libraries=$(variable libdir)
headers=$(variable includedir)/tapegrad
version=$(sed -n "s/^project('tapegrad'.* version: '\([0-9.]*\)'.*/\1/p" "$source/meson.build")
abi=${version%.*}

check 'TG_VERSION is not the version in meson.build' \
    grep -q "TG_VERSION \"$version\"" "$headers/core/base.h"
for name in tapegrad tapegrad-double; do
    check "$name.pc has another version" [ "$(pkg-config --modversion $name)" = "$version" ]
    for file in lib$name.a lib$name.so "lib$name.so.$abi" "lib$name.so.$version"; do
        check "$file is not installed" [ -f "$libraries/$file" ]
    done
    # shellcheck disable=SC2046 -- a list of words
    strange=$(printf '%s\n' $(pkg-config --static --libs $name) | grep -vE '^-(L.*|l(tapegrad|tapegrad-double|m)|fopenmp(=.*)?|pthread)$')
    check "$name.pc needs $strange" [ -z "$strange" ]
    strange=$(readelf -d "$libraries/lib$name.so" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^(lib(m|c|gomp|omp|pthread|asan|ubsan|gcc_s)|ld-linux.*)\.so')
    check "lib$name.so needs $strange" [ -z "$strange" ]
    soname=$(readelf -d "$libraries/lib$name.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    check "the soname is $soname, not lib$name.so.$abi" [ "$soname" = "lib$name.so.$abi" ]
done
if [ -x "$build/textclf" ]; then
    for file in bin/textclf share/man/man1/textclf.1; do
        check "$file is not installed" [ -s "$prefix/$file" ]
    done
    check 'the installed textclf does not run' quietly "$prefix/bin/textclf" --help
else
    skip 'textclf: it is not built'
fi
check 'other files are installed, too' [ -z "$(find "$root" -type f ! -path "$headers/*.h" \
    ! -path "$libraries/libtapegrad*" ! -path "$libraries/pkgconfig/tapegrad*.pc" \
    ! -path "$prefix/bin/textclf" ! -path "$prefix/share/man/man1/textclf.1")" ]

# ---- each header alone, in C and in C++ ----

cxx=${CXX:-c++}
machine() { "$@" -dumpmachine 2>/dev/null | cut -d - -f 1; }
# shellcheck disable=SC2086 -- lists of words
if [ "$(machine $cxx)" != "$(machine $cc)" ]; then
    skip "C++: $cxx is not installed, or compiles for another machine than $cc"
    cxx=
fi
for header in $(cd "$headers" && find . -name '*.h'); do
    echo "#include \"$headers/$header\"" >alone.c
    strict='-Wall -Wextra -Wpedantic -Werror -fsyntax-only'
    # shellcheck disable=SC2086 -- lists of words
    check "$header alone does not compile as C" quietly $cc -std=c11 $strict -x c alone.c
    # shellcheck disable=SC2086 -- lists of words
    [ -z "$cxx" ] || check "$header alone does not compile as C++" \
        quietly $cxx -std=c++11 $strict -x c++ alone.c
done

# ---- programs by pkg-config ----

# program NAME COMMAND...: builds NAME by COMMAND and the flags that pkg-config prints for $kind
program()
{
    name=$1
    shift
    # shellcheck disable=SC2046,SC2086 -- lists of words
    check "$name does not build" quietly "$@" -o "$name" $(pkg-config --cflags --libs $kind)
}
# prints NAME: checks that NAME prints the output shown in README.md
awk '/^## A whole program/ { on = 1 } on && /^```/ { fence++; next } on && fence == 3' \
    "$source/README.md" >wanted
prints()
{
    LD_LIBRARY_PATH=$libraries "./$1" >"$1.out" 2>&1
    check "the output of $1 is wrong: $(cat "$1.out")" cmp -s wanted "$1.out"
}
LIBRARY_PATH=
export LIBRARY_PATH
if [ "$plain" = true ]; then
    kind=tapegrad
    # shellcheck disable=SC2086 -- a list of words
    program shared $cc "$source/examples/xor.c"
    prints shared
    check 'the shared library is not used' \
        [ "$(readelf -d shared | grep -c "NEEDED.*\[libtapegrad.so.$abi\]")" -eq 1 ]
    sed 's/<tapegrad.h>/<tapegrad\/tapegrad.h>/' "$source/examples/xor.c" >in_folder.c
    # shellcheck disable=SC2086,SC2046
    check '<tapegrad/tapegrad.h> is not found' \
        quietly $cc -fsyntax-only "-I$(dirname "$headers")" in_folder.c
    flags="-DTG_DOUBLE $(pkg-config --cflags --libs tapegrad)"
    # shellcheck disable=SC2086
    check 'a program compiled for double links with the float library' \
        sh -c "! $cc $source/examples/xor.c -o mixed $flags 2>/dev/null"
    kind=tapegrad-double
    # shellcheck disable=SC2086
    program double $cc "$source/examples/xor.c"
    prints double
    kind='--static tapegrad'
    # shellcheck disable=SC2086
    if echo 'int main(void) { return 0; }' | $cc -static -fopenmp -x c - -o empty -lm 2>/dev/null; then
        # shellcheck disable=SC2086
        program static $cc -static "$source/examples/xor.c"
        prints static
    else
        skip 'a static program: there are no static libraries of OpenMP and of the C library'
    fi
    if [ -n "$cxx" ]; then
        kind=tapegrad
        # shellcheck disable=SC2086
        program in_cxx11 $cxx -std=c++11 -Wall -Wextra -Wpedantic -Wconversion -Wold-style-cast \
            -Werror "$source/tests/install/xor.cpp"
        prints in_cxx11
        # Without -Wextra: g++ would warn that designated initializers leave out fields.
        # shellcheck disable=SC2086
        program in_cxx20 $cxx -std=c++20 -Wall -Wpedantic -Werror "$source/tests/install/xor.cpp"
        echo 'cube: 1, slope 3' >>wanted
        prints in_cxx20
        sed -i '$d' wanted
    fi
else
    skip 'programs by pkg-config: these libraries need the flags of sanitizers or coverage tools'
fi

# ---- as a subproject ----

# The library's own files are enough for a subproject.
mkdir -p outside/subprojects/tapegrad
for name in core layers inspect optim tapegrad.h meson.build meson_options.txt; do
    cp -r "$source/$name" outside/subprojects/tapegrad
done
cp "$source/examples/xor.c" "$source/tests/install/meson.build" outside
unset PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
CC=$cc
export CC
check 'meson setup fails with tapegrad as a subproject' \
    quietly meson setup outside/build outside --wrap-mode=nodownload -Dbuildtype=plain
check 'a project with tapegrad as a subproject does not build' \
    quietly meson compile -C outside/build
check 'a subproject builds more than the static float library' [ -z "$(find outside/build -type f \
    \( -name '*.so*' -o -path '*double*' -o -path '*examples*' \))" ]
cp outside/build/xor subproject && prints subproject
check 'meson install fails with tapegrad as a subproject' \
    quietly meson install -C outside/build --no-rebuild --destdir "$work/other"
check 'as a subproject, tapegrad installs files' [ ! -e other ]

end_checks
