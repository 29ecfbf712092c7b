#!/bin/sh
# run.sh: installs missing packages, builds everything in build/ and runs every test. Its last line
# counts the tests that passed, failed and were skipped. The output of each test is in
# build/meson-logs/testlog.txt.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES $FONTS module check check
build build -Dtests=enabled -Dexamples=enabled
run_tests build
