#!/bin/sh
# run.sh: installs what is missing, builds in build/ and runs every test. Says at the end how many passed, failed and were
# skipped; each test's own output is in build/meson-logs/testlog.txt.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES $FONTS module check check
build build -Dtests=enabled -Dexamples=enabled
run_tests build
