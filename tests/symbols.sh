#!/bin/sh
# symbols.sh LIBRARY ...: every symbol that a library defines for others starts with tg_.
set -eu
status=0
for library in "$@"; do
    case $library in
        *.a) symbols=$(nm -g --defined-only "$library" 2>/dev/null) ;;
        *) symbols=$(nm -D --defined-only "$library") ;;
    esac
    names=$(printf '%s\n' "$symbols" | awk 'NF == 3 { print $3 }')
    [ -n "$names" ] || { echo "$library defines nothing"; status=1; }
    # What sanitizers and coverage tools add to a build is not ours.
    strange=$(printf '%s\n' "$names" | grep -vE '^(tg_|__odr_asan|__asan_|__gcov|_init$|_fini$)' || true)
    [ -z "$strange" ] || { echo "$library defines: $strange"; status=1; }
done
exit $status
