#!/bin/sh
# rooms.sh: which folder may include which. Every #include "..." of the sources must follow the
# table below, and no header may include itself by way of others. It prints each include that breaks
# a rule and exits with 1. To prove that it can fail, it plants such includes and expects an error
# for each.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
LC_ALL=C
export LC_ALL

# A folder, or one file, and what its files may include besides headers in angle brackets. The first
# line that matches counts. A line that ends with "\" continues in the next one.
sed -e :a -e '/\\$/{N;s/\\\n *//;ba' -e '}' >"$work/rules" <<'END'
core/                              core/
layers/                            core/ layers/
optim/                             core/ optim/
inspect/                           core/ layers/ inspect/
tapegrad.h                         core/ layers/ optim/ inspect/
examples/support/                  tapegrad.h examples/support/
examples/stepper/                  tapegrad.h examples/support/ examples/stepper/
examples/text_classifier/data/     tapegrad.h examples/support/ examples/text_classifier/data/
examples/text_classifier/model/    tapegrad.h examples/support/ examples/stepper/ \
    examples/custom_layer/ examples/text_classifier/data/ examples/text_classifier/model/
examples/text_classifier/training/ tapegrad.h examples/support/ \
    examples/text_classifier/data/ examples/text_classifier/model/ \
    examples/text_classifier/training/
examples/text_classifier/output/   tapegrad.h examples/support/ examples/text_classifier/data/ \
    examples/text_classifier/model/ examples/text_classifier/training/ \
    examples/text_classifier/output/
examples/text_classifier/cli/      tapegrad.h examples/support/ examples/text_classifier/
examples/custom_layer/             tapegrad.h examples/custom_layer/
examples/translate/                tapegrad.h examples/support/ examples/translate/
examples/                          tapegrad.h examples/support/ examples/stepper/
END

find core layers optim inspect examples tapegrad.h -name '*.[ch]' | sort >"$work/files"

# One line "FILE INCLUDED" for each include. The included file stands beside the file, or in the
# folder above all.
xargs awk -v list="$work/files" '
    BEGIN { while ((getline name <list) > 0) known[name] = 1 }
    /^#include "/ {
        split($0, quoted, "\"")
        path = FILENAME
        sub(/[^\/]*$/, "", path)
        path = path quoted[2]
        while (sub(/[^\/]+\/\.\.\//, "", path)) { }
        if (!(path in known)) path = quoted[2]
        print FILENAME, path
    }' <"$work/files" >"$work/includes"

# broken INCLUDES: prints the includes that break a rule, and the loops of headers; false if there
# are any
broken()
{
    awk -v rules="$work/rules" '
        BEGIN { while ((getline line <rules) > 0) rule[++count] = line }
        {
            for (i = 1; i <= count; i++) {
                n = split(rule[i], word, " ")
                if (index($1, word[1]) == 1) break
            }
            allowed = 0
            for (k = 2; i <= count && k <= n; k++) allowed = allowed || index($2, word[k]) == 1
            if (!allowed) print $1 " must not include " $2
        }' "$1" >"$work/broken"
    grep '\.h ' "$1" | tsort 2>>"$work/broken" >"$work/sorted" || true
    cat "$work/broken"
    [ ! -s "$work/broken" ]
}

broken "$work/includes" || exit 1
[ "$(wc -l <"$work/includes")" -gt 200 ] || {
    echo "only $(wc -l <"$work/includes") includes were found"; exit 1; }

# planted FILE INCLUDED
planted()
{
    { cat "$work/includes"; echo "$1 $2"; } >"$work/planted"
    if broken "$work/planted" >"$work/said"; then
        echo "rooms.sh did not find that $1 includes $2"; exit 1; fi
}
planted core/tape.c layers/linear.h
planted core/tensor.h core/op.h # a loop
planted layers/lstm.c optim/optim.h
planted optim/adam.c layers/linear.h
planted inspect/dot.c optim/optim.h
planted examples/xor.c core/tensor.h
planted examples/support/text.c examples/text_classifier/data/read.h
planted examples/text_classifier/data/dataset.c examples/text_classifier/model/model.h
planted examples/text_classifier/model/model_file.c examples/text_classifier/training/fit.h
planted examples/text_classifier/training/checkpoint.c examples/text_classifier/cli/options.h
planted examples/text_classifier/output/report.c examples/text_classifier/cli/options.h
echo "$(wc -l <"$work/includes") includes follow the rules"
