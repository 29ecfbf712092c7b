#!/bin/sh
# symbols.sh HEADER ... LIBRARY ...: every symbol that a library defines for others starts with tg_, and a shared one exports what
# the headers declare, nothing else; and the operator table has every operator. The library in double has three functions under another name (core/base.h).
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LC_ALL=C
export LC_ALL
for file in "$@"; do
    case $file in
        *.h)
            sed -n '/^TG_EXPORT/s/^[^(]*[ *]\(tg_[a-z0-9_]*\)(.*/\1/p' "$file" >>"$work/declared"
            if grep -nE '^[a-z].*[ *]tg_[a-z0-9_]+\(' "$file" |
                grep -vE '^[0-9]+:(static inline|typedef)'; then
                echo "$file declares this without TG_EXPORT"
                status=1
            fi
            continue ;;
        *.a) nm -g --defined-only "$file" >"$work/symbols" 2>/dev/null ;;
        *) nm -D --defined-only "$file" >"$work/symbols" ;;
    esac
    # Sanitizers, coverage tools and compilers for 32-bit x86 add symbols of their own.
    awk 'NF == 3 { print $3 }' "$work/symbols" |
        grep -vE '^(__odr_asan|__asan_|__gcov|__x86\.|_init$|_fini$)' |
        sort -u >"$work/names" || true
    [ -s "$work/names" ] || { echo "$file defines no symbols"; status=1; }
    foreign=$(grep -v '^tg_' "$work/names" | tr '\n' ' ')
    [ -z "$foreign" ] || { echo "$file defines symbols without tg_: $foreign"; status=1; }
    case $file in
        *.a)
            for operator in $(sed -n 's/^tg_op_/ /p' "$work/names"); do
                grep -q "X($operator)" "$root/inspect/operators.h" ||
                    { echo "inspect/operators.h: the table lacks X($operator)"; status=1; }
            done ;;
        *)
            sed 's/^\(tg_tape_new\|tg_params_new\|tg_apply\)_double$/\1/' "$work/names" |
                sort >"$work/exported"
            sort "$work/declared" | diff - "$work/exported" || {
                echo "$file: the headers declare (<) other symbols than it exports (>)"
                status=1
            }
            ;;
    esac
done
declared=$(wc -l <"$work/declared")
[ "$declared" -gt 100 ] || { echo "the headers declare only $declared functions"; status=1; }
exit $status
