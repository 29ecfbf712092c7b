#!/bin/sh
# The measures of textclf explain, and the pages that it and train --report write. Usage:
# test_pages.sh TEXTCLF. Prints a line for each check that fails, and a summary; exits with 1 if one
# failed.

. "$(dirname "$0")/commands.sh"

# shows PAGE SECTIONS: the page is complete, has no external resources, and a browser shows its
# sections without errors
shows()
{
    check "$1: complete" [ "$(head -n 1 "$1") $(tail -n 1 "$1")" = '<!DOCTYPE html> </html>' ]
    check "$1: no external resources" \
        [ "$(grep -c -i 'http\|src=\|url(\|<script\|<link\|@import' "$1")" -eq 0 ]
    check "$1: $2 sections" [ "$(grep -c '^<section>$' "$1")" -eq "$2" ]
    if ! command -v chromium >/dev/null; then
        skip "$1 in a browser: there is no chromium"
        return
    fi
    timeout 120 chromium --headless --no-sandbox --disable-gpu --window-size=500,900 \
        --enable-logging=stderr \
        --log-net-log="$work/net.json" --net-log-capture-mode=Everything \
        --dump-dom "file://$work/$1" >dom 2>log
    check "$1: a browser shows the page" [ "$(grep -c '<section>' dom)" -eq "$2" ]
    check "$1: a browser finds no errors: $(grep CONSOLE log)" [ "$(grep -c 'CONSOLE' log)" -eq 0 ]
    # Chromium's own requests (for updates and the like) have no origin; the origin of a page in a
    # file is "null".
    check "$1: the page does not use the network" \
        [ "$(grep -c '"initiator":"null"' net.json)" -eq 0 ]
}

# fits PAGE...: at the width of a phone nothing is wider than the page; text is dark in the light
# scheme and light in the dark one
fits()
{
    if ! command -v chromium >/dev/null; then
        skip 'pages at the width of a phone, light and dark: there is no chromium'
        return
    fi
    {
        echo '<!DOCTYPE html><html><body>'
        for page in "$@"; \
            do echo "<iframe src=\"$page\" style=\"width: 390px; height: 740px\"></iframe>"; done
        cat <<'END'
<script>
onload = () => {
  document.body.dataset.said = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument;
    const style = frame.contentWindow.getComputedStyle(page.querySelector("h1"));
    const wide = page.documentElement.scrollWidth - page.documentElement.clientWidth;
    const small = [...page.querySelectorAll("p, td, dd, h1, h2, h3")]
        .filter(e => parseFloat(getComputedStyle(e).fontSize) < 13).length;
    return frame.getAttribute("src") + ": " + wide + " too wide, " + small + " too small, " +
        style.color;
  }).join("; ");
};
</script></body></html>
END
    } >frames.html
    for scheme in 'dark 0 255, 255, 255' 'light 1 0, 0, 0'; do
        blink=${scheme#* }
        timeout 120 chromium --headless --no-sandbox --disable-gpu --allow-file-access-from-files \
            --window-size=1600,900 \
            --blink-settings=preferredColorScheme="${blink%% *}" \
            --dump-dom "file://$work/frames.html" >dom 2>log
        said=$(sed -n 's/.*data-said="\([^"]*\)".*/\1/p' dom)
        for page in "$@"; do
            check "$page, on a phone, ${scheme%% *}: $said" \
                [ -n "$(echo "$said" | grep "$page: 0 too wide, 0 too small, rgb(${blink#* })")" ]
        done
    done
}

run explain
ran 2 'explain without a model'
refused 2 '.*--help$' explain m
refused 2 '.*--help$' explain m text --font f
run explain --help
ran 0 'explain --help'
says 'explain --help prints the legend' '^  unused  *attention is large, left out small' out

# ---- explain ----

awk 'BEGIN { for (i = 0; i < 200; i++) printf "the film w%d is %s\t%s\n", i % 9,
    i % 2 ? "great" : "awful", i % 2 ? "good" : "bad" }' >data.tsv
small='--embedding 8 --hidden 8 --epochs 6 --lr 0.01 --dropout 0'
unused=0
framed=0

# column N: prints each word of the last text with its N-th number of three decimals
column()
{
    awk -v n="$1" '/^  [^ ].* [+ ]?[0-9-]+\.[0-9][0-9][0-9] / {
        for (i = 2; i <= NF; i++) if ($i ~ /^[+-]?[0-9]+\.[0-9][0-9][0-9]$/ &&
            ++seen[NR] == n) print $1, $i
    }' out
}
# value WORD FILE: prints the number of a word in the output of column
value()
{
    awk -v word="$1" '$1 == word { print $2 }' "$2"
}

# odds MODEL TEXT: prints the log-odds of the label good, from predict. "left out" must be their
# fall without the word.
odds()
{
    "$textclf" predict --json "$1" "$2" | python3 -c 'import json, math, sys
p = json.load(sys.stdin)["probabilities"]["good"]
print(math.log(p / (1 - p)))'
}
for kind in 'lstm additive' 'bilstm multihead' 'transformer dot' 'none euclidean' 'bilstm none' \
    'none none'; do
    set -- $kind
    # shellcheck disable=SC2086 # words are meant to split
    run train data.tsv $small --epochs 3 --lr 0.005 --encoder "$1" --attention "$2" --max-pool \
        -o kind.st
    run explain kind.st 'the great film is' -o kind.html
    ran 0 "explain, $kind"
    measures=$([ "$2" = none ] && echo 2 || echo 3)
    # a word that is flagged in the terminal is framed in each copy of the text on the page
    named=$(grep -c '[+-][0-9.]* .* \(unused\|against\|unseen\|signs\)$' out)
    framed=$((framed + named))
    check "explain, $kind: the words that the terminal flags are framed" \
        [ "$(grep -o '<span class="w[ nu]* d"[^>]* \(unused\|against\|unseen\|signs\)">' kind.html |
        wc -l)" -eq $((measures * named)) ]
    column "$measures" >left
    column $((measures - 1)) >gradient
    check "explain, $kind: four words: $(cat left)" [ "$(wc -l <left)" -eq 4 ]
    check "explain, $kind: the word great supports the label good" \
        [ "$(cut -c 1 <<END | sort -u
$(value great left)
$(value great gradient)
END
)" = + ]
    if [ "$measures" -eq 3 ]; then
        column 1 >weights
        check "explain, $kind: the weights sum to 1" \
            [ "$(awk '{ sum += $2 } END { print (sum > 0.995 && sum < 1.005) }' weights)" = 1 ]
        unused=$((unused + $(grep -c ' unused$' out)))
        awk '/^  [^ ].* [+-]/ { print $NF == "unused" }' out | paste -d ' ' weights left - >marked
        check "explain, $kind: the flag follows its rule: $(cat marked)" [ "$(awk '
            { a[NR] = $2; v[NR] = $4 < 0 ? -$4 : $4; m[NR] = $5; if (a[NR] > A) A = a[NR];
                if (v[NR] > V) V = v[NR] }
            END {
                for (i = 1; i <= NR; i++) if (m[i] && (a[i] < A / 2 - 0.001 ||
                    v[i] > V / 10 + 0.001) ||
                    !m[i] && a[i] > A / 2 + 0.001 && v[i] < V / 10 - 0.001) wrong++
                print NR, wrong + 0
            }' marked)" = '4 0' ]
    else
        says "explain, $kind: it is said that there is no attention" \
            '^The model has no attention (--attention none)' out
    fi
    expected=$(python3 \
        -c "print($(odds kind.st 'the great film is') - $(odds kind.st 'the film is'))")
    check "explain, $kind: left out is $expected (it is $(value great left))" \
        python3 -c "assert abs($(value great left) - $expected) < 2e-3 * (1 + abs($expected))"
done
# Without encoder and attention the logits are linear in the mean of the words' vectors, so gradient
# x input sums to the logits without their bias.
# shellcheck disable=SC2086
run train data.tsv $small --encoder none --attention none -o mean.st
run explain mean.st 'the film is great'
column 1 >gradient
cat >bias.py <<'END'
import json, struct
data = open("mean.st", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + size])
begin = 8 + size + header["classify.bias"]["data_offsets"][0]
bad, good = struct.unpack("<2f", data[begin:begin + 8])
print(good - bad)
END
sum=$(awk '{ sum += $2 } END { print sum }' gradient)
expected=$(python3 -c "print($(odds mean.st 'the film is great') - $(python3 bias.py))")
check "explain: gradient x input sums to $expected (it is $sum)" \
    python3 -c "assert abs($sum - $expected) < 4e-3"

check 'explain: some word is flagged unused, so the checks can fail' [ "$unused" -gt 0 ]
check 'explain: some word is framed, so the checks can fail' [ "$framed" -gt 0 ]

# shellcheck disable=SC2086
run train data.tsv $small --encoder none --attention cosine -o cosine.st
run explain cosine.st 'the film is great' -o explain.html
ran 0 'explain -o'
says 'explain: the legend under the table' \
    '^A flag marks a word on which the measures disagree (large: at least half of' out
check 'explain: no colours outside a terminal' [ "$(grep -c "$(printf '\033')" out)" -eq 0 ]
check 'explain: the text is shown three times' \
    [ "$(grep -c '^<p class="text"' explain.html)" -eq 3 ]
shows explain.html 2

run explain cosine.st 'a <b>great</b> & "awful" film هذا 😀' great -o explain.html
ran 0 'explain, two texts'
says 'explain, page, escaped' '&lt;</span>' explain.html
says 'explain, page, signed' \
    '<span class="w n[ ud]*" style="--a:[01]\.[0-9]*" title="-[0-9.]*[ a-z]*">' explain.html
says 'explain, page, other scripts' '>هذا</span>' explain.html
check 'explain: markup in the text is escaped' [ "$(grep -c '<b>' explain.html)" -eq 0 ]
shows explain.html 3
awk 'BEGIN { for (i = 0; i < 600; i++) printf "film%d ", i % 7; print "great" }' >long
run explain cosine.st "$(cat long)"
ran 0 'explain, more words than a batch'
column 3 >left
check 'explain: every word is shown' [ "$(wc -l <left)" -eq 601 ]
check 'explain: the last of many words counts most' \
    [ "$(tr -d '+-' <left | sort -k 2 -g -r | head -n 1 | cut -d ' ' -f 1)" = great ]
rm explain.html
refused 1 '.*missing.st: No such file' explain missing.st text
refused 1 'TEXT: the text has no words' explain cosine.st ' '
refused 1 'TEXT: byte 1, 0xFF, is not valid UTF-8' explain cosine.st "$(printf '\377')"
refused 1 'x.png: explain writes a web page' explain cosine.st great -o x.png
refused 1 'no/such/page.html: cannot write this file' explain cosine.st great -o no/such/page.html
run explain cosine.st great ' ' -o explain.html
ran 1 'explain, the second text without words'
check 'explain: no page is left after a failure' [ ! -e explain.html ]

# ---- train --report ----

# shellcheck disable=SC2086
run train builtin:english $small --report report.html -o "it's a model.st"
ran 0 'train --report'
says 'train --report' '^report: *report.html$' out
accuracy=$(sed -n 's/^test: *accuracy [0-9.]* (\([0-9]* of [0-9]*\)).*/\1/p' out)
says 'report: the accuracy of the test part' "</b>accuracy, $accuracy<" report.html
says 'report: the best epoch' ">best: $(sed -n 's/^saved: *epoch \([0-9]*\) .*/\1/p' out)</text>" \
    report.html
check 'report: three charts' [ "$(grep -c '^<figure>' report.html)" -eq 3 ]
for epoch in 1 6; do
    loss=$(awk -v e=$epoch '$1 == e { print $3 }' out)
    says "report: the loss of epoch $epoch" "<title>validation, epoch $epoch: $loss</title>" \
        report.html
done
says 'report: norms of the gradients' '<title>encoder, epoch 6: 0\.[0-9]*[1-9]' report.html
check 'report: ten texts' [ "$(grep -c '^<p class="text"' report.html)" -eq 10 ]
check 'report: wrong predictions name the true label' \
    [ "$(sed -n '/Wrong predictions/,$p' report.html | grep -c '; true label: <bdi>')" -eq 5 ]
says 'report: settings' '<dt>epochs<dd><bdi>6</bdi>' report.html
shows report.html 6
mkdir again
sed -n "s/.*<pre>\(.*\)<\/pre>.*/\1/p" report.html |
    sed 's/&quot;/"/g; s/&lt;/</g; s/&gt;/>/g; s/&amp;/\&/g' >command
(cd again && sh ../command >/dev/null 2>&1)
check "report: its command gives the same model: $(cat command)" cmp -s "it's a model.st" \
    "again/it's a model.st"
check 'report: its command gives the same page' cmp -s report.html again/report.html

# The counts of the confusion matrix are those of eval.
run eval "it's a model.st" builtin:english-test
sed -n 's/^\(negative\|positive\)  *\([0-9]*\)  *\([0-9]*\)$/\2 \3/p' out | tr ' ' '\n' >counts
sed -n '/class="cells"/,/<\/table>/p' report.html | grep -o '">[0-9][0-9]*' | tr -d '">' >cells
check 'report: the confusion matrix is that of eval' cmp -s counts cells
check 'report: the confusion matrix has cells' [ -s cells ]

# No validation data, one epoch, no attention.
# shellcheck disable=SC2086
run train builtin:documents --epochs 1 --embedding 8 --hidden 8 --attention none \
    --report none.html -o none.st
ran 0 'train --report, no validation part'
says 'report: what it was measured on' \
    'Measured on the training data (<bdi>builtin:documents</bdi>).*epoch 1 of 1, the last one' \
    none.html
says 'report: no attention' 'The model has no attention' none.html
check 'report: no word is shaded without attention' \
    [ "$(grep -c 'style="--a:0\.[0-9]*[1-9].*</span>' none.html)" -eq 0 ]
check 'report: no NaN and no infinity' [ "$(grep -c 'nan\|inf[^o]' none.html)" -eq 0 ]
shows none.html 6

# Markup and several scripts in texts and labels; more labels than a confusion matrix shows.
awk 'BEGIN {
    split("<b>bold</b>|هذا جيد|a & \"b\"|😀", names, "|")
    for (i = 0; i < 300; i++) {
        l = i % 14
        printf "<script>alert(1)</script> هذا الفيلم رائع 😀 word%d word%d\t%s\n", i % 5, l % 7,
            l < 4 ? names[l + 1] : "label " l
    }
}' >odd.tsv
# shellcheck disable=SC2086
run train odd.tsv $small --epochs 1 --report odd.html -o odd.st
ran 0 'train --report, odd texts'
says 'report: a label escaped' '<bdi>&lt;b&gt;bold&lt;/b&gt;</bdi>' odd.html
says 'report: the most frequent confusions' '<th>true label<th>predicted label<th>rows' odd.html
check 'report: only wrong predictions among the confusions' \
    [ "$(grep -c '<td>\(<bdi>.*</bdi>\)<td>\1' odd.html)" -eq 0 ]
check 'report: markup in texts and labels is escaped' \
    [ "$(grep -c '<b>bold\|<script\|<td>a & ' odd.html)" -eq 0 ]
shows odd.html 6

run attend "it's a model.st" \
    "An_endless_word_$(yes word | head -n 40 | tr -d '\n') and a few short ones" '菜很好吃' \
    'هذا الفيلم رائع' -o attend.html
ran 0 'attend, a long word'
run explain "it's a model.st" 'the film is great, but the plot is not' -o explain.html
fits attend.html explain.html report.html none.html odd.html

rm -f ./*.html
refused 1 'no/such/r.html: cannot write this file' train builtin:documents --report no/such/r.html \
    -o refused.st
refused 1 '--report works for a single training' train builtin:documents --seeds 2 --report r.html \
    -o refused.st
check 'a refused report leaves no file' [ ! -e refused.st ]
(
    trap '' XFSZ
    ulimit -f 16 || exit 77
    exec "$textclf" train builtin:documents --epochs 1 --embedding 1 --hidden 1 --report r.html \
        -o small.st >out 2>err
)
status=$?
if [ $status -eq 77 ]; then
    skip 'a full disk: ulimit -f does not work here'
else
    ran 1 'a report on a full disk'
    check "a report on a full disk: the message names the file (it is: $(cat err))" \
        grep -q '^textclf: r.html: not saved' err
    check 'a report on a full disk: no part of it stays' [ ! -e r.html ]
    check 'a report on a full disk: no partial file stays' [ ! -e r.html.partial ]
fi

end_checks
