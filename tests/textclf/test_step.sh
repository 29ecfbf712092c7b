#!/bin/sh
# The pages of textclf step and attention_by_hand: check_step.py computes every number on them in
# another way, and a browser goes through all steps. Usage: test_step.sh TEXTCLF, with
# attention_by_hand beside it. Prints a line for each check that fails, and a summary; exits with 1
# if one failed.

. "$(dirname "$0")/commands.sh"
check_step=$source/tests/textclf/check_step.py
twelve='The movie is amazing, but the ending is a little slow'

# walk PAGE:WIDTH...: clicks through all steps of each page in a frame of this width, clicks into a
# picture at each hundredth step, and lets the page work out some elements of each tensor. Writes a
# line for each page to the file said: "PAGE:WIDTH STEPS steps, WIDER wider than the window, DEAF
# clicks that chose nothing, NUMBERS numbers worked out, BAD differ". One browser does it all,
# because it takes a second to start.
walk()
{
    cat >walk.html <<END
<!DOCTYPE html><html><body><iframe id="frame" style="height: 740px"></iframe><pre id="said">
</pre><script>
const frame = document.getElementById("frame"), pages = "$*".split(" ");
function walk() {
  const page = frame.contentDocument, byId = id => page.getElementById(id);
  const ask = text => frame.contentWindow.eval(text);
  let steps = 1, wider = 0, deaf = 0;
  byId("tour").checked = false;
  byId("tour").dispatchEvent(new Event("change"));
  for (; !byId("next").disabled && steps < 20000; steps++) {
    byId("next").click();
    if (page.documentElement.scrollWidth > frame.contentWindow.innerWidth) wider++;
    const picture = steps % 100 === 0 && page.querySelector("main canvas");
    if (picture) {
      const box = picture.getBoundingClientRect();
      for (const kind of ["pointermove", "click"])
        picture.dispatchEvent(new PointerEvent(kind, {clientX: box.left + box.width / 2,
          clientY: box.top + box.height / 2, bubbles: true}));
      if (!ask("state.sel")) deaf++;
    }
  }
  ask(\`for (const n of N) some(n.y, i => {
      const made = opOf(n).make && opOf(n).make(n, i);
      if (made) check(made.value, val(n.y, i), n.y, "v", made.mass);
    });
    for (const t of T) if (t.hasGrad && t.readers.length) some(t, i => {
      const {value, mass} = shares(t, i);
      check(value, grd(t, i), t, "g", mass);
    });
    function some(t, see) { for (let i = 0; i < t.size; i += Math.ceil(t.size / 13)) see(i); }\`);
  return steps + " steps, " + wider + " wider than the window, " + deaf +
    " clicks that chose nothing, " + ask("results.length") +
    " numbers worked out, " + ask("results.filter(r => !r.good).length") + " differ";
}
function next() {
  const at = pages.shift();
  if (!at) return;
  const [page, width] = at.split(":");
  frame.style.width = width + "px";
  frame.onload = () => {
    document.getElementById("said").append(at + " " + walk() + "\n");
    next();
  };
  frame.src = page;
}
next();
</script></body></html>
END
    timeout 300 chromium --headless --no-sandbox --disable-gpu --allow-file-access-from-files \
        --window-size=1300,800 \
        --virtual-time-budget=100000 --enable-logging=stderr --log-net-log="$work/net.json" \
        --net-log-capture-mode=Everything --dump-dom "file://$work/walk.html" >dom 2>log
    sed -n '/<pre id="said">/,/<\/pre>/{ s/.*<pre id="said">//; p; }' dom >said
}

# whole PAGE: the page is complete and has no external resources
whole()
{
    check "$1: complete" [ "$(head -n 1 "$1") $(tail -n 1 "$1")" = '<!DOCTYPE html> </html>' ]
    check "$1: no external resources" \
        [ "$(grep -c -i 'http\|src=\|url(\|<link\|@import\|fetch(\|import(' "$1")" -eq 0 ]
}

# walked PAGE:WIDTH: the line that walk prints for a page without errors
walked()
{
    steps=$(python3 -c 'import json, re, sys
page = open(sys.argv[1], encoding="utf-8").read()
D = json.loads(re.search(r"id=\"data\">(.*?)</script>", page, re.S).group(1))
grads = sum("g" in t or "gr" in t for t in (D["tensors"][n["out"][0]] for n in D["nodes"]))
print(3 + len(D["nodes"]) + grads)' "${1%:*}")
    good="$steps steps, 0 wider than the window, 0 clicks that chose nothing"
    good="$good, [1-9][0-9]* numbers worked out, 0 differ"
    check "$1: $(grep "^$1 " said)" grep -q "^$1 $good$" said
}

# ---- wrong arguments ----

run train builtin:english --epochs 1 --embedding 8 --hidden 8 -o small.st
refused 2 '.*--help$' step
refused 2 '.*--help$' step small.st
refused 2 '.*--help$' step small.st 'one text' 'and another'
refused 1 'TEXT: the text has no words' step small.st '  '
refused 1 'TEXT: byte 2, 0xFF, is not valid UTF-8' step small.st "$(printf 'a\377')"
refused 1 '--label nobody: the model does not have this label' step small.st "$twelve" \
    --label nobody
refused 1 'nowhere/page.html: ' step small.st "$twelve" -o nowhere/page.html
refused 1 'page.png: step writes a web page' step small.st "$twelve" -o page.png
refused 1 'cannot load missing.st: ' step missing.st "$twelve"
refused 1 'cannot load .*test_step.sh: it is not a safetensors file' step \
    "$source/tests/textclf/test_step.sh" "$twelve"
refused 1 'TEXT: the text has 65 words, but the page shows at most 64' step small.st \
    "$(yes word | head -n 65 | tr '\n' ' ')"
check 'what is refused leaves no page' [ ! -e step.html ]
run step small.st "$(yes word | head -n 64 | tr '\n' ' ')"
ran 0 'step with as many words as there may be, and no -o'
check 'without -o the page is step.html' [ -s step.html ]

# ---- the default model ----

run train builtin:english --epochs 2 --lr 0.003 -o model.st
run step model.st "$twelve" -o page.html
ran 0 step
says 'step' 'the fused operators agree: loss [0-9.e-]*, logits [0-9.e-]*, gradients [0-9.e-]*$' out
check "a page of twelve words has less than 3000000 bytes (it has $(wc -c <page.html))" \
    [ "$(wc -c <page.html)" -lt 3000000 ]
python3 "$check_step" page.html model.st "$textclf" "$twelve" >out
check "numbers of the page: $(cat out)" grep -q '^[1-9][0-9]* numbers compared, 0 differ$' out
whole page.html

# The largest classifier: every option that adds a layer.
run train builtin:english --epochs 1 --attention multihead --max-pool --ngrams 2 -o most.st
run step most.st "$twelve" -o most.html
bytes=$(wc -c <most.html)
check "twelve words and the largest classifier: less than 3000000 bytes (it has $bytes)" \
    [ "$bytes" -lt 3000000 ]

# For both labels the loss is -log p; the page of the predicted label is the one above.
same=0
for label in negative positive; do
    run step model.st "$twelve" --label $label -o label.html
    ran 0 "step --label $label"
    cmp -s page.html label.html && same=$((same + 1)) && continue
    python3 "$check_step" label.html model.st "$textclf" "$twelve" >out
    check "numbers of the page of $label: $(cat out)" grep -q ', 0 differ$' out
done
check "one label gives the page of the prediction ($same do)" [ $same -eq 1 ]

# ---- every kind of model, and texts with markup and JSON's special characters ----

for encoder in bilstm lstm transformer none; do
    for attention in additive dot scaled-dot bilinear cosine euclidean multihead none; do
        beside=
        case $attention in
        dot | multihead | none) beside='--max-pool --ngrams 2 --buckets 100' ;;
        esac
        # shellcheck disable=SC2086 # words are meant to split
        run train builtin:english --epochs 2 --embedding 12 --hidden 8 --lr 0.01 \
            --encoder $encoder --attention $attention $beside -o kind.st
        run step kind.st "$twelve" -o kind.html
        ran 0 "step, $encoder and $attention"
        python3 "$check_step" kind.html kind.st "$textclf" "$twelve" >out
        check "$encoder and $attention: $(cat out)" \
            grep -q '^[1-9][0-9]* numbers compared, 0 differ$' out
        case $encoder-$attention in
        lstm-none | none-euclidean | transformer-multihead)
            mv kind.html "$encoder-$attention.html" && whole "$encoder-$attention.html" ;;
        esac
    done
done
run train builtin:english --epochs 1 --embedding 8 --encoder none --attention bilinear -o few.st
run step few.st '</script><b>"the" \ & <!-- 菜很好吃 é' -o odd.html
ran 0 'step with odd characters'
whole odd.html
run step small.st 'one' -o one.html
ran 0 'step with one word'
python3 "$check_step" one.html >out
check "one word: $(cat out)" grep -q ', 0 differ$' out
whole one.html

# ---- attention by hand ----

hand=$(dirname "$textclf")/attention_by_hand
check 'attention_by_hand -o' "$hand" -o hand.html >/dev/null
python3 "$check_step" hand.html >out
check "attention by hand: $(cat out)" grep -q '^[1-9][0-9]* numbers compared, 0 differ$' out
whole hand.html
check 'attention_by_hand refuses a folder that does not exist' \
    [ "$("$hand" -o nowhere/hand.html 2>&1 >/dev/null)" = \
    'attention_by_hand: nowhere/hand.html: cannot write this file: No such file or directory' ]

# ---- the tests can fail: a page with one gradient, one weight or one formula changed ----

python3 - <<'END'
import re
def change(name, key, path):
    page = open("page.html", encoding="utf-8").read()
    at = page.index(f'"{key}":[', page.index(f'"name":"{name}"')) + len(key) + 4
    number = re.compile(r"[^,\]]+").match(page, at)
    changed = repr(float(number[0]) * 1.01 + 1e-3)
    open(path, "w", encoding="utf-8").write(page[:at] + changed + page[number.end():])
change("c→_3", "g", "gradient.html")
change("a", "v", "weight.html")
page = open("one.html", encoding="utf-8").read()
assert "1 - y * y" in page
open("formula.html", "w", encoding="utf-8").write(page.replace("1 - y * y", "1 + y * y"))
END
for changed in gradient weight; do
    check "check_step.py refuses a page with a changed $changed" \
        [ "$(python3 "$check_step" $changed.html | grep -c ' 0 differ')" -eq 0 ]
done

# ---- in a browser: pages as wide as a desk or a phone (TG_LONG_TESTS=1: all of them at both) ----

if command -v chromium >/dev/null; then
    pages='page.html:1200 page.html:360 hand.html:1200 hand.html:360 odd.html:1200
        transformer-multihead.html:360'
    [ "${TG_LONG_TESTS:-0}" = 0 ] ||
        pages="$pages odd.html:360 transformer-multihead.html:1200 most.html:1200 most.html:360
        lstm-none.html:1200 lstm-none.html:360 none-euclidean.html:1200 none-euclidean.html:360
        one.html:1200 one.html:360"
    # shellcheck disable=SC2086 # words are meant to split
    walk $pages formula.html:1200
    for page in $pages; do walked "$page"; done
    check "a wrong formula in a page is found: $(grep ^formula said)" \
        grep -q '^formula.html:1200 .* worked out, [1-9][0-9]* differ$' said
    check "a browser finds no errors: $(grep CONSOLE log)" [ "$(grep -c CONSOLE log)" -eq 0 ]
    check 'no page uses the network' [ "$(grep -c '"initiator":"null"' net.json)" -eq 0 ]
else
    skip 'the pages in a browser: there is no chromium'
fi

# ---- the tape ----

run tape small.st 'a good film' -o tape.dot
ran 0 tape
says 'tape: the encoder' '^ *[0-9]* lstm  *encoder ' out
says 'tape: gradients' '^ *[0-9]* cross_entropy .* 1 \.\. 1$' out
says 'tape: sums' '^[0-9]* operators, .*B of results, ' out
says 'tape: the graph' 'subgraph "cluster_attention' tape.dot
if command -v dot >/dev/null; then
    check 'tape: dot accepts the graph' dot -Tsvg -o tape.svg tape.dot
else
    skip 'tape, the graph: there is no dot'
fi
refused 1 'TEXT: the text has no words' tape small.st ' '
refused 1 'nowhere/tape.dot: ' tape small.st good -o nowhere/tape.dot

end_checks
