#!/bin/sh
# readme.sh XOR: the program in README.md is examples/xor.c, and what README.md says that it prints is what XOR prints.
set -eu
xor=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")/.."
# block N: the lines between the Nth pair of fences that come after the heading of the program
block() {
    awk -v wanted="$1" '/^## A whole program/ { on = 1 } on && /^```/ { fence++; next } on && fence == 2 * wanted - 1' README.md
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
block 1 >"$work/program"
block 2 >"$work/output"
[ -s "$work/program" ] && [ -s "$work/output" ] || { echo "README.md has no program with its output"; exit 1; }
diff -u examples/xor.c "$work/program"
"$xor" | diff -u - "$work/output"
