#!/bin/sh
# pictures.sh: draws the committed pictures from the output of the programs in build/:
# inspect/tape.svg, inspect/fault.svg, examples/stepper/softmax.png, examples/image_attention.png,
# layers/lint.svg and core/reading.svg. It needs graphviz, chromium and pngquant, besides the
# packages that tests/run.sh installs.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8 OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive

# drawn FILE.dot OPTION...: prints a graph as SVG, without the parts that differ between versions of
# graphviz
drawn()
{
    dot -Tsvg "$@" | sed -e '/^<!--.*-->$/d' -e '/^<!--/,/-->$/d' -e '/^<!DOCTYPE/,/>$/d'
}

# terminal: prints standard input as an SVG that looks like a terminal; "$ command", "passed" and
# "FAILED" are coloured
terminal()
{
    awk '
        function escaped(text) { # with spaces that SVG does not collapse
            gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text);
                gsub(/ /, "\\&#160;", text)
            return text
        }
        function coloured(word, colour) {
            return "<tspan fill=\"" colour "\">" escaped(word) "</tspan>" }
        function put(text) { if (length(text) > widest) widest = length(text); lines[++n] = text }
        { # wrapped at spaces, with an indent as deep as that of the text
            indent = match($0, /(passed|FAILED) +/) ? RSTART + RLENGTH - 1 : match($0, /[^ ]/) + 1
            rest = $0
            while (length(rest) > 112) {
                cut = 112
                while (substr(rest, cut, 1) != " ") cut--
                put(substr(rest, 1, cut - 1))
                rest = sprintf("%" indent "s%s", "", substr(rest, cut + 1))
            }
            put(rest)
        }
        END {
            width = int(widest * 7.25) + 32
            printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" " \
                "viewBox=\"0 0 %d %d\">\n", width, n * 17 + 24, width, n * 17 + 24
            print "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1c1f25\"/>"
            print "<g font-family=\"ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace\" " \
                "font-size=\"12\" fill=\"#e6e5e1\">"
            for (i = 1; i <= n; i++) {
                text = lines[i] ~ /^\$ / ? coloured(lines[i], "#84a9ff") : escaped(lines[i])
                sub(/passed/, coloured("passed", "#62c78d"), text)
                sub(/FAILED/, coloured("FAILED", "#ff8278"), text)
                printf "<text x=\"16\" y=\"%d\">%s</text>\n", 12 + i * 17 - 4, text
            }
            print "</g></svg>"
        }'
}

# ---- the tape and a step of a model of the English reviews ----

awk -F '\t' 'BEGIN { print "review,label" } { gsub(/"/, "\"\"", $1); print "\"" $1 "\"," $2 }' \
    examples/data/english_train.tsv >"$work/reviews.csv"
build/textclf train "$work/reviews.csv" -o "$work/model" >/dev/null 2>&1
build/textclf tape "$work/model" 'The movie is amazing, but slow' -o "$work/tape.dot" >/dev/null
drawn "$work/tape.dot" -Grankdir=LR -Gbgcolor=white >inspect/tape.svg

build/textclf step "$work/model" 'The movie is amazing, but the ending is a little slow' \
    -o "$work/step.html" >/dev/null
softmax=$(grep -o '{"op":"[a-z_]*"' "$work/step.html" | awk '/softmax/ { print NR - 1 }')
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,1120 \
    --force-device-scale-factor=1.25 \
    --virtual-time-budget=2000 \
    --screenshot="$work/softmax.png" "file://$work/step.html#b$softmax" >/dev/null 2>&1
pngquant --force --output examples/stepper/softmax.png 64 "$work/softmax.png"

# ---- where a model looks in a picture ----

build/image_attention -o "$work/image_attention.png" >/dev/null
pngquant --force --output examples/image_attention.png 128 "$work/image_attention.png"

# ---- faults that the tape reports; a layer that is right, and one that is wrong ----

{ echo '$ build/find_the_fault'; build/find_the_fault; } | terminal >inspect/fault.svg

cp examples/custom_layer/* "$work"
sed -e '/if (dw) dw/s/+=/-=/' -e '0,/from >= length/s//from >= op->T/' \
    examples/custom_layer/conv1d.c >"$work/conv1d.c"
cc -O2 -I. -DTG_DOUBLE "$work/main.c" "$work/conv1d.c" build/libtapegrad-double.a -lm -fopenmp \
    -o "$work/wrong"
{
    echo '$ build/custom_layer_double'
    build/custom_layer_double | grep -v trained
    echo
    printf '%s%s\n' '$ mine/check        # with -= for += in the backward pass, ' \
        'and a forward pass that reads past the length'
    "$work/wrong" | grep -v -e passed -e trained
} | terminal >layers/lint.svg

# ---- the reading guide ----

drawn core/reading.dot >core/reading.svg
ls -l inspect/tape.svg inspect/fault.svg examples/stepper/softmax.png examples/image_attention.png \
    layers/lint.svg core/reading.svg
