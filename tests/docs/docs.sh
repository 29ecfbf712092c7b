#!/bin/sh
# docs.sh [-o FOLDER] ROOT VERSION HEADER ...: makes pages of the headers with Doxygen, in
# FOLDER/html (without -o it keeps none). Fails if a function, a type or a macro is not documented;
# fields of structs need no comment.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=$work
[ "$1" != -o ] || { folder=$2; shift 2; }
here=$(cd "$(dirname "$0")" && pwd)
command -v doxygen >/dev/null || {
    echo "skipped: the pages of the headers: doxygen is not installed"
    exit 77
}
mkdir -p "$folder"
{
    cat "$here/Doxyfile"
    echo "OUTPUT_DIRECTORY = \"$folder\""
    echo "STRIP_FROM_PATH = \"$1\""
    echo "PROJECT_NUMBER = $2"
    echo "INPUT_FILTER = \"awk -f '$here/comments.awk'\""
    shift 2
    echo "INPUT = $(printf '"%s" ' "$@")"
} | LC_ALL=C doxygen - 2>"$work/warnings"
! grep -v ' (variable) of struct ' "$work/warnings" || { echo "these are not documented"; exit 1; }
[ -s "$folder/html/index.html" ] || { echo "doxygen made no pages"; exit 1; }
[ "$folder" = "$work" ] || echo "written: $folder/html/index.html"
