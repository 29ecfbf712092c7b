#!/bin/sh
# docs.sh [-o FOLDER] ROOT VERSION HEADER ...: pages of the headers, by Doxygen, in FOLDER/html (without -o: nowhere). Fails where a
# function, a type or a macro of theirs is not documented; fields of structs may speak for themselves.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
folder=$work
[ "$1" != -o ] || { folder=$2; shift 2; }
here=$(cd "$(dirname "$0")" && pwd)
command -v doxygen >/dev/null || { echo "skipped: the pages of the headers: there is no doxygen"; exit 77; }
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
! grep -v ' (variable) of struct ' "$work/warnings" || { echo "that is not documented"; exit 1; }
[ -s "$folder/html/index.html" ] || { echo "there are no pages"; exit 1; }
[ "$folder" = "$work" ] || echo "written: $folder/html/index.html"
