#!/bin/sh
# guides.sh FOLDER, with the built programs: what the pages of the folders show is what there is. A fence "```c FILE" holds lines of
# FILE as they stand there, "```text PROGRAM" what FOLDER/PROGRAM prints, "```diff" a change that applies, "```console" commands after
# "$ " and what they print, in which a line "..." stands for any lines; the times of epochs are left out. The line about threads is
# left out where the build has none. The reading guide, and the map of it, name every source file of the library.
set -eu
built=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LC_ALL=C
export LC_ALL
fail() { echo "$1"; exit 1; }

# console BLOCK: runs its commands in a folder of their own, which all pages share, with the built programs in build/
mkdir "$work/console"
ln -s "$built" "$work/console/build"
cp examples/data/english_train.tsv "$work/console/reviews.tsv"
cp examples/data/english_test.tsv "$work/console/held_out.tsv"
console()
{
    rm -f "$work/console/"*.run "$work/console/"*.shown
    awk -v folder="$work/console" '
        /^\$ / { file = folder "/" ++n; print substr($0, 3) >(file ".run"); printf "" >(file ".shown"); next }
        { print >(file ".shown") }' "$1"
    for run in "$work/console/"*.run; do
        (cd "$work/console" && OMP_NUM_THREADS=1 sh "$run" >printed 2>&1) || return 1
        sed -E 's/^( *[0-9]+( +[0-9.]+){3}) +[0-9.]+ +[0-9]+( +\*)?$/\1\3/' "$work/console/printed" >"$work/console/lines"
        sed -E 's/^( *[0-9]+( +[0-9.]+){3}) +[0-9.]+ +[0-9]+( +\*)?$/\1\3/' "${run%.run}.shown" |
            awk -v lines="$work/console/lines" '
                function next_line() { at++; if ((getline line <lines) > 0) return 1; line = "(the end)"; return 0 }
                $0 == "..." { any = 1; next }
                {
                    while (next_line() && line != $0) if (!any) break
                    if (line != $0) { print "shown: " $0; print "printed, in line " at ": " line; failed = 1; exit }
                    any = 0
                }
                END { if (!failed && !any && next_line()) { print "also printed: " line; failed = 1 }; exit failed }' || return 1
    done
}

# one file a fence: NUMBER.block, and in the list "NUMBER KIND NAME"
for page in core/README.md layers/README.md examples/README.md examples/text_classifier/README.md tests/README.md; do
    awk -v work="$work" -v page="$page" '
        /^```/ && on { on = 0; close(file); next }
        /^```/ {
            on = 1
            file = work "/" ++n ".block"
            printf "" >file
            print n, substr($1, 4), ($2 == "" ? "-" : $2) >>(work "/list")
            next
        }
        on { print >file }' "$page"
    [ -f "$work/list" ] || continue
    while read -r n kind name; do
        case $kind:$name in
        c:-|text:-|:-) ;;
        c:*)
            awk 'FNR == NR { block = block $0 "\n"; next }
                { all = all $0 "\n" }
                END { exit !index("\n" all, "\n" block) }' "$work/$n.block" "$name" ||
                fail "$page: block $n is not in $name: $(head -n 1 "$work/$n.block")" ;;
        text:*)
            (cd "$work" && "$built/$name") >"$work/printed" || fail "$page: $name fails: $(cat "$work/printed")"
            if grep -q 'built without OpenMP' "$work/printed"; then
                for file in "$work/printed" "$work/$n.block"; do sed -i '/^threads /d' "$file"; done
            fi
            diff -u "$work/$n.block" "$work/printed" || fail "$page: block $n is not what $name prints" ;;
        console:*)
            # numbers are the same on all processors with fused multiply-adds
            [ -x "$built/textclf" ] && [ "${TG_ISA:-}" != baseline ] && grep -q -w fma /proc/cpuinfo || continue
            console "$work/$n.block" || fail "$page: block $n is not what its commands print" ;;
        diff:*)
            for file in $(sed -n 's/^+++ b\///p' "$work/$n.block"); do
                mkdir -p "$work/tree/$(dirname "$file")"
                cp "$file" "$work/tree/$file"
            done
            (
                cd "$work/tree"
                GIT_CEILING_DIRECTORIES="$work" git apply --check "$work/$n.block"
            ) || fail "$page: block $n does not apply" ;;
        *) ;;
        esac
        echo "$kind" >>"$work/kinds"
    done <"$work/list"
    rm "$work/list"
done
for file in core/*.c layers/*.c optim/*.c inspect/*.c; do
    grep -q "\`$file\`" core/README.md || fail "core/README.md does not name $file"
    grep -q "[ >/]$(basename "$file")[ <]" core/reading.dot ||
        fail "core/reading.dot does not name $file"
done
[ "$(grep -c '^c$' "$work/kinds")" -ge 10 ] && grep -q '^text$' "$work/kinds" &&
    grep -q '^diff$' "$work/kinds" ||
    fail "the guides have fewer checked blocks than 10 of C, one of output and one of diff"
