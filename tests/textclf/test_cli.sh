#!/bin/sh
# The command line of textclf: results, messages, exit statuses, and that no half-written file
# stays. Usage: test_cli.sh TEXTCLF. Prints a line for each check that fails, and a summary; exits
# with 1 if one failed.

. "$(dirname "$0")/commands.sh"

# ---- usage ----

for arguments in '' 'fly' 'train a b' 'train --epochs' 'train --epochs 0' 'train --epochs 1x' \
    'train --lr nan' \
    'train --dropout 1' 'train --seed -1' 'train --attention both' \
    'train --no-such' 'train -x' 'train --font f' 'eval m' \
    'eval m d e' 'predict' 'attend m' 'explain m' 'check' 'check a b c' 'train --format xml' \
    'eval m d --header perhaps' 'predict m --text 1' \
    'train --valid=' 'train --batch-size 99999999999999999999'; do
    # shellcheck disable=SC2086 # words are meant to split
    refused 2 '.*--help$' $arguments
done
for command in '' train compare check eval predict attend explain step tape; do
    # shellcheck disable=SC2086
    run $command --help
    ran 0 "$command --help"
    check "$command --help prints something" [ -s out ]
done

run --version
ran 0 --version
says --version '^textclf [0-9]*\.[0-9]*\.[0-9]*$' out
run help train
"$textclf" train --help | cmp -s - out
check 'help train prints what train --help prints' [ $? -eq 0 ]

# ---- training, evaluating, predicting ----

run train builtin:documents --epochs 10 -o documents.st
ran 0 'train builtin:documents'
says documents '4 rows of builtin:documents (2 negative, 2 positive)' out
says documents 'vocabulary: 14 words' out
check 'documents: ten epochs' [ "$(grep -c '^ *[0-9]* *[0-9.]* *[0-9.]* *[0-9]*$' out)" -eq 10 ]
check 'documents: a model is saved' [ -s documents.st ]
check 'documents: standard error is empty' [ ! -s err ]
run train builtin:documents --epochs 10 --encoder lstm --embedding 50 --hidden 50 --attention none \
    -o plain.st
ran 0 'train builtin:documents --attention none'
p='0\.[0-9]*'
for model in documents.st plain.st; do
    run predict "$model" 'The movie is amazing'
    says "$model" \
        "^[a-z]*${tab}0\.[0-9]*${tab}negative $p, positive $p${tab}The movie is amazing$" out
    says "$model: its vocabulary" '^textclf: not in the vocabulary: amazing$' err
done

run train --epochs 8 --seed 3 --embedding 32 --hidden 32 --dropout 0.2 --lr 0.005 -o reviews.st
ran 0 'train on the built-in reviews'
says reviews '^test: *accuracy 0\.[6-9]' out
test_accuracy=$(sed -n 's/^test: *\(accuracy.*\)/\1/p' out)
run eval reviews.st builtin:reviews-test
ran 0 eval
says 'eval measures what train measured' "^$test_accuracy" out
says 'eval shows the labels' '^ *65  *0\.[0-9]*  *0\.[0-9]*  *0\.[0-9]*  positive$' out
# Computes precision, recall, F1 and accuracy again from the confusion matrix that eval prints.
check 'eval: precision, recall, F1 and accuracy follow from the matrix' [ "$(awk '
    /^accuracy/ { accuracy = $2; macro = $7 + 0 }
    /^ +65 / { p[$5] = $2; r[$5] = $3; f[$5] = $4 }
    /^(negative|positive) / { m[$1, "negative"] = $2; m[$1, "positive"] = $3 }
    function near(a, b) { return a - b < 0.0001 && b - a < 0.0001 }
    END {
        a = m["negative", "negative"]; b = m["negative", "positive"]; c = m["positive", "negative"];
            d = m["positive", "positive"]
        print near(accuracy, (a + d) / 130) && near(p["negative"], a / (a + c)) &&
            near(r["negative"], a / (a + b)) &&
            near(f["positive"], 2 * d / (2 * d + b + c)) &&
            near(macro, (f["negative"] + f["positive"]) / 2)
    }' out)" = 1 ]
run eval --json reviews.st builtin:reviews-test
ran 0 'eval --json'
check 'eval --json: one object' python3 -c '
import json
s = json.load(open("out"))
assert s["rows"] == 130 == sum(map(sum, s["confusion"]))'

# The best epoch is saved: the last line with a star has the highest accuracy, and so has the model.
run train builtin:english --valid builtin:english-test --epochs 25 --lr 0.02 --embedding 16 \
    --hidden 16 -o best.st
ran 0 'train --valid'
best=$(awk '/\*$/ { a = $4 } END { print a }' out)
highest=$(awk '$1 ~ /^[0-9]+$/ && $4 > a { a = $4 } END { print a }' out)
check "the best epoch has the highest accuracy, $highest (it has $best)" [ "$best" = "$highest" ]
check 'the best epoch is not the last one, so the next check can fail' \
    [ "$(awk '$1 == 25 { print $NF }' out)" != '*' ]
run eval best.st builtin:english-test
says 'the saved weights are those of the best epoch' "^accuracy $best " out
run train builtin:english --epochs 50 --patience 2 --lr 0.02 --embedding 8 --hidden 8 -o patience.st
says '--patience' '^no better epoch in 2 epochs; training ends$' out

run predict reviews.st 'a wonderful film' '' 'zzyzx qwertz'
ran 0 predict
check 'predict: three lines' [ "$(wc -l <out)" -eq 3 ]
says predict \
    "^[a-z]*${tab}0\.[0-9]*${tab}negative 0\.[0-9]*, positive 0\.[0-9]*${tab}a wonderful film$" out
says 'predict names unknown words' '^textclf: not in the vocabulary: zzyzx, qwertz$' err
run predict --top 1 reviews.st 'a wonderful film'
says 'predict --top 1' "^\([a-z]*\)${tab}\(0\.[0-9]*\)${tab}\1 \2${tab}a wonderful film$" out
run predict --top 9 reviews.st 'a "wonderful" film'
check 'predict --top: both labels, the most probable first' \
    [ "$(cut -f 3 out | tr -d , | awk '{ print (NF == 4 && $2 >= $4) }')" = 1 ]
run predict --json --top 1 reviews.st 'a "wonderful" film'
check 'predict --json: the object' \
    python3 -c '
import json
a = json.load(open("out"))
assert a["text"] == "a \"wonderful\" film" and list(a["probabilities"]) == [a["label"]]'
touch -t 206001010000 reviews.st
run predict reviews.st 'written in 2060'
ran 0 'predict, a model dated 2060'
run predict -- reviews.st '-- dashes'
ran 0 'predict --'

printf '%s\n' 'a wonderful film' 'bad' '' \
    'cold soup and a rude waiter who forgot what we had ordered' >four
while read -r text; do
    "$textclf" predict reviews.st "$text" 2>err
done <four >one_by_one
"$textclf" predict reviews.st <four >together 2>err
check 'predict: a prediction does not depend on the other texts' cmp -s one_by_one together
check 'predict: four texts have four different predictions' \
    [ "$(cut -f 3 together | sort -u | wc -l)" -eq 4 ]

awk 'BEGIN { for (i = 0; i < 2500; i++) { printf "%d", i;
    for (j = 0; j < i % 17; j++) printf " good"; print "" } }' >lines
"$textclf" predict reviews.st <lines >out 2>err
check 'predict reads standard input' [ $? -eq 0 ]
cut -f 4 out | sed 's/$/'"$tab"'/' | tr -d "$tab" >texts
check 'predict: each line is answered, in order' cmp -s lines texts
printf 'good\r\n\nbad' | "$textclf" predict reviews.st >out 2>err
check 'predict: an empty line and a last line without newline count' [ "$(wc -l <out)" -eq 3 ]
printf 'good\n\377\nbad\n' | "$textclf" predict reviews.st >out 2>err
check 'predict: refuses invalid UTF-8' [ $? -eq 1 ]
printf '\357\273\277good\ta\033[31m\n' | "$textclf" predict reviews.st 2>/dev/null |
    cut -f 4- >marks
printf 'good a [31m\n' | cmp -s - marks
check "predict: shows neither byte order mark nor control characters: $(cat marks)" [ $? -eq 0 ]
says 'predict: bad UTF-8' '^textclf: standard input:2: byte 1, 0xFF' err

run attend reviews.st 'what a wonderful film' -o look.png
ran 0 attend
check 'attend: one line per word' [ "$(grep -c ' 0\.[0-9][0-9][0-9] ' out)" -eq 4 ]
check 'attend: no colours outside a terminal' [ "$(grep -c "$(printf '\033')" out)" -eq 0 ]
sum=$(awk '/^  / { sum += $(NF - 1) ~ /^0\./ ? $(NF - 1) : $NF } END {
    print (sum > 0.995 && sum < 1.005) }' out)
check 'attend: the weights sum to 1' [ "$sum" = 1 ]
if [ -e look.png ]; then
    check 'attend: a PNG file' [ "$(head -c 4 look.png | od -An -c | tr -d ' ')" = '211PNG' ]
fi

# A page of several texts: complete, escaped, without external resources.
run attend reviews.st 'a <b>wonderful</b> film & "more"' '很好' -o page.html
ran 0 'attend -o page.html'
says 'attend, page' \
    '<span class="w[u ]*" style="--a:[01]\.[0-9]*" title="[0-9.]* %">wonderful</span>' page.html
says 'attend, page, the second text' '>很</span>' page.html
says 'attend, page, escaped' '&lt;</span>' page.html
check 'attend: markup in the text is escaped' [ "$(grep -c '<b>' page.html)" -eq 0 ]
check 'attend: the page has no external resources' \
    [ "$(grep -c -i 'http\|<script\|<img\|<link' page.html)" -eq 0 ]
check 'attend: the shares of a text sum to 100 %' \
    [ "$(sed -n '/很/s/title="/\n/gp' page.html |
    awk '/^[0-9]/ { sum += $1 } END { print (sum > 99.7 && sum < 100.3) }')" = 1 ]
if command -v chromium >/dev/null; then
    timeout 120 chromium --headless --no-sandbox --disable-gpu --window-size=400,800 \
        --enable-logging=stderr --dump-dom "file://$work/page.html" >dom 2>log
    check 'attend: a browser shows the page' [ "$(grep -c '<section>' dom)" -eq 2 ]
    check 'attend: a browser finds no errors in the page' [ "$(grep -c 'CONSOLE' log)" -eq 0 ]
else
    skip 'attend, the page in a browser: there is no chromium'
fi
refused 1 'two.png: a picture shows one text' attend reviews.st good bad -o two.png
refused 1 'no/such/page.html: cannot write this file' attend reviews.st good -o no/such/page.html

run train builtin:chinese --attention none --epochs 1 --embedding 16 --hidden 16 -o none.st
ran 0 'train --attention none'
refused 1 'none.st: .*--attention none' attend none.st text
run predict none.st '很好'
ran 0 'predict --attention none'

# A model made in PyTorch, with only the settings it needs; the prediction is PyTorch's
# (golden/check_in_pytorch.py).
run predict "$source/tests/golden/made_in_pytorch.safetensors" 'the film is great'
ran 0 'predict, a model made in PyTorch'
says 'predict, a model made in PyTorch' \
    "^mixed${tab}0.5140${tab}bad 0.2228, good 0.2633, mixed 0.5140${tab}" out

# ---- the same seed, the same bits ----

for threads in 1 2; do
    OMP_NUM_THREADS=$threads "$textclf" train builtin:english --epochs 2 --seed 7 \
        -o "threads$threads.st" >/dev/null 2>err
done
check 'one and two threads give the same model' cmp -s threads1.st threads2.st
run train builtin:english --epochs 2 --seed 8 -o seed8.st
check 'two seeds give different models' [ "$(cmp -s threads1.st seed8.st; echo $?)" -eq 1 ]

# ---- wrong data ----

mkdir folder
touch empty.tsv
printf 'good\tpos\nbad\tneg\n' >small.tsv
printf 'good\tpos\nno tab\n' >tab.tsv
printf 'good\tpos\nbad\t\n' >nolabel.tsv
printf 'good\tpos\nfine\tpos\n' >one.tsv
printf 'good\tpos\nb\351d\tneg\n' >latin1.tsv
printf 'good\tpos\nb\000d\tneg\n' >nul.tsv
printf 'good\tpos\n\nbad\tneutral\n' >neutral.tsv
printf '\357\273\277good\tpos\r\n\r\nbad\tneg\r\n\tneg\r\n' >dos.tsv
before=$(ls -A)

refused 1 'empty.tsv:1: the file has no rows' train empty.tsv
refused 1 'tab.tsv:2: the line has no tab' train tab.tsv
refused 1 'nolabel.tsv:1: every row has the label "pos"' train nolabel.tsv
refused 1 'one.tsv:1: every row has the label "pos"' train one.tsv
refused 1 'latin1.tsv:2: byte 2 of the line, 0xE9, is not valid UTF-8' train latin1.tsv
refused 1 'nul.tsv:2: byte 2 of the line, 0x00, is not valid UTF-8' train nul.tsv
refused 1 'neutral.tsv:3: the label "neutral" does not occur' train small.tsv --valid neutral.tsv
refused 1 'neutral.tsv:3: the label "neutral" does not occur' train small.tsv --test neutral.tsv
refused 1 'neutral.tsv:1: the label "pos" does not occur' eval documents.st neutral.tsv
refused 1 'missing.tsv: No such file' train missing.tsv
refused 1 'missing.tsv: No such file' train small.tsv --valid missing.tsv
refused 1 'folder: Is a directory' train folder
refused 1 'builtin:nothing: ' train builtin:nothing
refused 1 'TEXT:1: byte 1, 0xFF' predict documents.st "$(printf '\377')"
refused 1 'TEXT: byte 1, 0xFF' attend documents.st "$(printf '\377')"
refused 1 'TEXT: the text has no words' attend documents.st ' '
check 'refused data leaves no files' [ "$before" = "$(ls -A)" ]

run train dos.tsv --epochs 1 --max-length 1 -o dos.st
ran 0 'CRLF, byte order mark, empty text'
says dos '3 rows of dos.tsv (2 neg, 1 pos)' out

# ---- a model of the previous version ----

# By: textclf train builtin:english --embedding 8 --hidden 8 --epochs 6 --seed 1 --rate 0.02
# --max-vocab 300
run predict "$source/tests/textclf/model_0.1.safetensors" 'a wonderful, moving film' \
    'the plot is boring and bad' 'ok'
ran 0 'a model of version 0.1'
cat >wanted <<END
positive${tab}0.9340${tab}negative 0.0660, positive 0.9340${tab}a wonderful, moving film
negative${tab}0.7946${tab}negative 0.7946, positive 0.2054${tab}the plot is boring and bad
negative${tab}0.6286${tab}negative 0.6286, positive 0.3714${tab}ok
END
check "a model of version 0.1 predicts the same (it predicts: $(cat out))" cmp -s wanted out

# ---- wrong models ----

# model FILE METADATA: a safetensors file without tensors, whose header holds METADATA
model()
{
    header="{\"__metadata__\":{$2}}"
    {
        printf "\\$(printf %o $((${#header} % 256)))\\$(printf %o \
            $((${#header} / 256)))\\0\\0\\0\\0\\0\\0"
        printf '%s' "$header"
    } >"$1"
}

head -c 2000 reviews.st >truncated.st
echo 'not a model' >text.st
model foreign.st '"format":"pt"'
model newer.st '"textclf.version":"99"'
settings='\"embedding\":8,\"hidden\":8,\"encoder\":\"bilstm\",\"attention\":\"none\"'
settings=$settings',\"dropout\":0,\"longest\":9,\"tokenizer\":\"words\"'
settings=$settings',\"no_punctuation\":false,\"ngrams\":0,\"buckets\":9,\"max_pool\":false'
words='"textclf.vocabulary":"[\"<padding>\",\"<unknown>\"]"'
labels='"textclf.labels":"[\"a\",\"b\"]"'
stop='"textclf.stopwords":"[]"'
model nothing.st '"textclf.version":"1"'
known='"textclf.version":"1","textclf.settings":"{'
model width.st "$known$(echo "$settings" | sed 's/8/-8/')}\",$words,$labels"
model huge.st "$known$(echo "$settings" | sed 's/8/1e99/')}\",$words,$labels"
known=$known$settings'}"'
model words.st "$known"',"textclf.vocabulary":"[1]",'"$labels"
model start.st "$known"',"textclf.vocabulary":"[\"a\",\"b\"]",'"$labels,$stop"
model labels.st "$known,$words"',"textclf.labels":"[\"a\"]",'"$stop"
model stop.st "$known,$words,$labels"',"textclf.stopwords":"{}"'
model empty.st "$known,$words,$labels,$stop"
model flag.st "$(echo "$known" | sed 's/false/0/'),$words,$labels,$stop"
model longest.st '"textclf.version":"2","textclf.settings":"{'"$settings"'}",'"$words,$labels,$stop"
model fewer.st '"textclf.version":"1","textclf.settings":"{'"$settings"'}",'"$words,$stop"
refused 1 '.*missing.st: No such file' eval missing.st small.tsv
refused 1 '.*folder' predict folder text
refused 1 '.*truncated.st: ' predict truncated.st text
refused 1 '.*text.st' predict text.st text
refused 1 'foreign.st: .*not a model of textclf' predict foreign.st text
refused 1 'newer.st: .*format 99' predict newer.st text
refused 1 'nothing.st: .*settings' predict nothing.st text
refused 1 'width.st: .*"embedding" must be an integer from 1' predict width.st text
refused 1 'flag.st: .*"no_punctuation" must be true or false' predict flag.st text
# format 1 calls it longest
refused 1 'longest.st: .*"max_length" is missing' predict longest.st text
refused 1 'fewer.st: the model.s labels are missing' predict fewer.st text
refused 1 'huge.st: .*"embedding" must be an integer from 1' predict huge.st text
refused 1 'words.st: .*vocabulary: item 0' predict words.st text
refused 1 'start.st: .*vocabulary does not start' predict start.st text
refused 1 'labels.st: .*fewer than two labels' predict labels.st text
refused 1 'stop.st: .*stopwords: not a JSON array' predict stop.st text
refused 1 'empty.st: .*does not contain parameter' predict empty.st text

# ---- models with wrong numbers ----

# tamper NAME VALUE: reviews.st with one number of classify.bias changed
tamper()
{
    python3 - "$1" "$2" <<'END'
import json, struct, sys
data = bytearray(open("reviews.st", "rb").read())
size = struct.unpack("<Q", data[:8])[0]
at = 8 + size + json.loads(data[8:8 + size])["classify.bias"]["data_offsets"][0]
data[at:at + 4] = struct.pack("<f", float(sys.argv[2]))
open(sys.argv[1], "wb").write(data)
END
}
tamper nan.st nan
tamper huge.st 1e38
for command in predict attend explain step tape; do
    refused 1 'nan.st: classify.bias contains NaN or infinity' $command nan.st good
    run $command huge.st good
    ran 0 "$command with a huge weight"
    check "$command with a huge weight: no NaN in: $(cat out)" [ "$(grep -c 'nan' out)" -eq 0 ]
done
rm -f step.html

# ---- inputs are not overwritten ----

cp small.tsv kept.csv
for written in '-o kept.csv' '-o ./kept.csv --epochs 1' '--report folder/../kept.csv'; do
    # shellcheck disable=SC2086
    refused 1 '.*kept.csv: this file is both input and output' train kept.csv $written
done
ln -s kept.csv link.csv
refused 1 'link.csv: this file is both input and output' train builtin:documents --valid kept.csv \
    --checkpoint link.csv --resume
refused 1 'kept.csv: this file is both input and output' train builtin:documents \
    --stopwords kept.csv -o kept.csv
refused 1 'kept.csv: the file exists and is not a model' train builtin:documents -o kept.csv
refused 1 'kept.csv: a report is a web page; give --report FILE.html' train builtin:documents \
    --report kept.csv -o new.st
refused 1 '.*new.html: two outputs have this name' train builtin:documents --report new.html \
    -o ./new.html
refused 1 'reviews.st: this file is both input and output' attend reviews.st good -o reviews.st
for command in attend explain step tape; do refused 1 'kept.csv: .* give -o FILE' $command \
    reviews.st good -o kept.csv; done
check 'inputs are not overwritten' cmp -s small.tsv kept.csv
for again in 1 2; do
    run train builtin:documents --epochs 1 --embedding 4 --hidden 4 -o again.st
    ran 0 "a model in the place of a model, $again"
done

# ---- places that cannot be written ----

refused 1 'folder: not a regular file' train small.tsv -o folder
refused 1 'nowhere/model.st: .*No such file' train small.tsv -o nowhere/model.st
refused 1 '/dev/null: .*not a regular file' train small.tsv -o /dev/null
check '/dev/null still exists' [ -c /dev/null ]
"$textclf" eval reviews.st builtin:reviews-test >/dev/full 2>err
check 'a full standard output is a failure' [ $? -eq 1 ]

# A limit on the size of files acts like a full disk; its signal is ignored.
mkdir full
cp documents.st full/model.st
(
    trap '' XFSZ
    ulimit -f 16 || exit 77
    exec "$textclf" train builtin:documents --epochs 1 -o full/model.st >full.out 2>full.err
)
status=$?
if [ $status -eq 77 ]; then
    skip 'a full disk: ulimit -f does not work here'
else
    cp full.err err
    ran 1 'a full disk'
    check "a full disk: the message names the file (it is: $(cat err))" \
        grep -q 'textclf: .*not saved.*full/model.st' err
    check 'a full disk: one line on standard error' [ "$(wc -l <err)" -eq 1 ]
    check 'a full disk: the old model stays' cmp -s documents.st full/model.st
    check 'a full disk: no part of a model stays' [ "$(ls -A full)" = model.st ]
fi
if [ -e look.png ]; then
    # 8 blocks are less than any picture and enough for the shared page of an OpenMP library
    (
        trap '' XFSZ
        ulimit -f 8 || exit 77
        exec "$textclf" attend reviews.st 'a film' -o full/look.png >/dev/null 2>/dev/null
    )
    status=$?
    if [ $status -ne 77 ]; then
        check 'a full disk: a picture that is not saved is a failure' [ $status -eq 1 ]
        check 'a full disk: no part of a picture stays' [ "$(ls -A full)" = model.st ]
    fi
fi

# ---- out of memory ----

# limited COMMAND...: with 600 MB of address space
limited()
{
    (
        ulimit -v 600000 || exit 77
        exec "$@"
    )
}

if limited "$textclf" --help >/dev/null 2>&1; then
    limited "$textclf" train builtin:documents --hidden 1600 -o memory.st >out 2>err
    status=$?
    ran 1 'out of memory'
    says 'out of memory' '^textclf: .*out of memory: [0-9]* bytes' err
    check "no memory: one line on standard error (it is: $(cat err))" [ "$(wc -l <err)" -eq 1 ]
    check 'no memory: no model is saved' [ ! -e memory.st ]
else
    skip 'no memory: the program does not start with 600 MB (a sanitizer, say)'
fi

# ---- Ctrl-C ----

if command -v timeout >/dev/null; then
    # --foreground: otherwise the signal comes twice, and the second one ends the program at once
    timeout --foreground -s INT --preserve-status 3 "$textclf" train --epochs 100000 --patience 0 \
        --embedding 8 --hidden 8 -o stopped.st >out 2>err
    status=$?
    ran 130 Ctrl-C
    says Ctrl-C '^textclf: interrupted; stopped.st is the model of the best epoch so far' err
    run predict stopped.st good
    ran 0 'predict with the model that Ctrl-C left'
else
    skip 'Ctrl-C: there is no timeout command'
fi

# ---- real data ----

if [ -r "$real_data/sst2/dev.tsv" ]; then
    run train "$real_data/sst2/dev.tsv" --epochs 1 --embedding 16 --hidden 16 -o sst2.st
    ran 0 'train on real sentences'
    run check "$real_data/waimai/waimai_10k.csv"
    says waimai 'CSV with a header, text is column "review", label is column "label"$' out
    says waimai '^rows: *11987$' out
    says waimai '^order: ' out
    lines='lines 983 (1), 4412 (0); 1209 (1), 8545 (0); 1213 (1), 5021 (0), ...$'
    says waimai \
        "^conflict: *7 texts in 14 rows, with different labels: $lines" out
    says waimai '^odd: *1 text with control characters .* byte 0x08)$' out
    says waimai '^quoted: *1967 fields' out
    run check "$real_data/agnews/test.csv"
    says agnews 'CSV without a header, text is columns 2 and 3, label is column 1$' out
    says agnews '^odd: *808 texts with backslashes' out
    says agnews '^odd: .* remains of HTML' out
    says agnews '^quoted: *22800 fields, with [1-9]' out
    check 'agnews is not reported as sorted' [ "$(grep -c '^order' out)" -eq 0 ]
    run check "$real_data/sst2/train.tsv" "$real_data/sst2/train_phrases.tsv"
    check 'sst2: both parts are reported as sorted' [ "$(grep -c '^order' out)" -eq 2 ]
    says 'sst2: split tokens' '^odd: .* which may be split tokens' out
    says 'sst2: sentences among the phrases' '^leakage: *6911 texts of the first' out
else
    skip 'real data: TG_DATA is not the folder of it'
fi

# ---- every kind of model ----

for encoder in lstm bilstm transformer none; do
    for attention in additive dot scaled-dot bilinear cosine euclidean multihead none; do
        kind="$encoder, $attention"
        run train builtin:documents --encoder $encoder --attention $attention --embedding 8 \
            --hidden 4 --epochs 2 -o kind.st
        ran 0 "train $kind"
        says "$kind" "encoder $encoder, attention $attention, embedding 8, hidden 4," out
        run predict kind.st 'a great plot'
        ran 0 "predict $kind"
        [ $attention = none ] && continue
        run attend kind.st 'a great plot'
        ran 0 "attend $kind"
        check "attend $kind: the weights sum to 1" \
            [ "$(awk '/^  / { sum += $(NF - 1) ~ /^0\./ ? $(NF - 1) : $NF } END {
            print (sum > 0.995 && sum < 1.005) }' out)" = 1 ]
    done
done
run compare builtin:english --embedding 8 --hidden 4 --epochs 1 --seeds 2
ran 0 compare
check 'compare: each attention on bilstm, and the other encoders with and without' \
    [ "$(awk 'NR > 3 && NF == 6 { print $1, $2 }' out | sort | uniq | wc -l)" -eq 14 ]
says compare '^accuracy on 80 rows of builtin:english-test$' out
refused 1 'no data to measure accuracy on' compare builtin:documents
run train builtin:english --min-count 5000 -o no.st
ran 1 'an empty vocabulary'
says 'an empty vocabulary' '^textclf: builtin:english: the vocabulary is empty; lower --min-count' \
    err
refused 2 '--encoder gru: it must be lstm' train --encoder gru

# ---- options of training ----

awk 'BEGIN { for (i = 0; i < 300; i++) printf "w%d w%d\t%s\n", i % 7, i % 3,
    i % 10 ? "often" : "seldom" }' >uneven.tsv
# often WHAT OPTION...: trains on texts that do not depend on the label, nine in ten of which is
# "often"; sets $p to its probability
often()
{
    what=$1
    shift
    run train uneven.tsv --embedding 8 --hidden 8 --epochs 12 --lr 0.01 --dropout 0 "$@" \
        -o uneven.st
    ran 0 "train, $what"
    run predict uneven.st 'w0 w1'
    p=$(sed -n 's/.*often \(0\.[0-9]*\),.*/\1/p' out)
}
# between WHAT MIN MAX: $p is between them
between()
{
    check "$1: the probability is between $2 and $3 (it is $p)" awk -v p="$p" -v min="$2" \
        -v max="$3" 'BEGIN { exit !(p >= min && p <= max) }'
}
often plainly
between plainly 0.8 0.97
often balanced --class-weight balanced
between balanced 0.3 0.7
often smoothed --label-smoothing 1
between smoothed 0.45 0.55
often 'in a long warm-up' --warmup 1000000000
between 'in a long warm-up' 0.4 0.65
often 'weights that decay' --weight-decay 1 --lr 0.5
between 'weights that decay' 0.8 1
awk 'BEGIN { for (i = 0; i < 300; i++) printf "%s\t%s\n", i % 2 ? "good" : "bad",
    i % 2 }' >plain.tsv
run train plain.tsv --embedding 8 --hidden 8 --epochs 10 --lr 0.01 -o plain.st
says 'an easy task is learned' '^ *10 .* 1\.0000 ' out
run train plain.tsv --embedding 8 --hidden 8 --epochs 10 --lr 0.01 --word-dropout 0.99 -o hidden.st
check 'the loss does not fall if nearly all words are unknown' \
    [ "$(awk '$1 == 10 { print ($2 > 0.6) }' out)" = 1 ]
refused 2 '--class-weight even: it must be none or balanced' train --class-weight even
refused 2 '-x: no such option' train -xy
refused 2 '--label-smoothing 2: it must be a number from 0 to 1' train --label-smoothing 2

# ---- many labels ----

awk 'BEGIN { for (i = 0; i < 240; i++) printf "word%d and word%d\tlabel%02d\n", i % 12, i % 7,
    i % 12 }' >many.tsv
run train many.tsv --epochs 2 --embedding 8 --hidden 8 -o many.st
ran 0 'train with twelve labels'
run eval many.st many.tsv
says 'eval with twelve labels' '^most frequent confusions (true label -> predicted label, rows)$' \
    out
check 'eval: confusions are sorted by frequency' \
    sh -c "sed -n 's/^  label.* -> label[0-9]*  //p' out | sort -c -n -r"

# ---- stop words ----

run train builtin:english --embedding 8 --hidden 8 --epochs 1 --stopwords en -o stop_en.st
ran 0 'train --stopwords en'
"$textclf" predict stop_en.st 'the film was not good' 'film not good' \
    'The, it is a film: not good' 2>err | cut -f 3 >out
check '--stopwords: function words do not change the prediction' \
    [ "$(sed -n 1p out)" = "$(sed -n 2p out)" ]
check '--stopwords: punctuation changes the prediction' [ "$(sed -n 1p out)" != "$(sed -n 3p out)" ]
run predict stop_en.st 'the'
check '--stopwords: a stop word is not reported as unknown' [ ! -s err ]
run attend stop_en.st 'the plot was not good'
check '--stopwords: three words are left' \
    [ "$(awk 'NR > 1 { print $1 }' out | tr '\n' ' ')" = 'plot not good ' ]
refused 1 'TEXT: the text has no words other than stop words' attend stop_en.st 'it was the'
run train builtin:chinese --embedding 8 --hidden 8 --epochs 1 --stopwords zh -o stop_zh.st
run attend stop_zh.st '菜的味道'
check '--stopwords zh: three characters are left' \
    [ "$(awk 'NR > 1 { print $1 }' out | tr -d '\n')" = '菜味道' ]
printf 'FILM\nplot, plot\n' >stop.txt
run train builtin:english --embedding 8 --hidden 8 --epochs 1 --stopwords stop.txt -o stop_own.st
run attend stop_own.st 'the film: a plot'
check '--stopwords FILE: the words of the file are left out' \
    [ "$(awk 'NR > 1 { print $1 }' out | tr '\n' ' ')" = 'the : a ' ]
printf 'a\377' >bytes.txt
: >nothing.txt
refused 1 'missing.txt: No such file' train builtin:english --stopwords missing.txt -o no.st
refused 1 'bytes.txt: byte 2, 0xFF, is not valid UTF-8' train builtin:english \
    --stopwords bytes.txt -o no.st
refused 1 '--stopwords nothing.txt: the file has no words' train builtin:english \
    --stopwords nothing.txt -o no.st
check '--stopwords: no model is saved after a failure' [ ! -e no.st ]

# ---- characters ----

run train builtin:english --tokenizer characters --embedding 8 --hidden 8 --epochs 1 \
    -o characters.st
ran 0 'train --tokenizer characters'
run attend characters.st "It's so..."
check '--tokenizer characters: each character is a token' \
    [ "$(awk 'NR > 1 { print $1 }' out | tr '\n' ' ')" = "I t ' s s o . . . " ]
run predict characters.st 'qwzy'
check '--tokenizer characters: the model saves its tokenizer' [ "$(grep -c vocabulary err)" -eq 0 ]

# ---- a small project: stop words, vectors of width 100, ten epochs, a tenth for validation ----

awk 'BEGIN { for (w = 0; w < 2; w++) { printf w ? "film" : "good";
    for (i = 0; i < 100; i++) printf " %g", (i + w) / 500; print "" } }' >100.txt
run compare builtin:english --stopwords en --vectors 100.txt --embedding 100 --hidden 16 \
    --epochs 10 --batch-size 32 --seeds 1 --encoder lstm
ran 0 'the project'
says 'the project, with attention' '^lstm  *additive  *0\.[0-9]* ' out
says 'the project, without attention' '^lstm  *none  *0\.[0-9]* ' out

# ---- word vectors ----

printf '2 3\ngood 1 2 3\nzzyzx 4 5 6\n' >good.txt
printf 'good 1 2 3\nfilm 4 5\n' >short.txt
printf 'good 1 nan 3\n' >nan.txt
run train builtin:english --embedding 3 --hidden 4 --epochs 1 --vectors good.txt -o vectors.st
ran 0 'train --vectors'
says 'train --vectors' '^vectors: *1 of [0-9]* words (0\.1 %) found in good.txt$' err
printf '. . . 1 2 3\ngood 1 2 3\r\n   \nthe plot 7 8 9\nfilm\t4 5 6 \n' >glove.txt
run train builtin:english --embedding 3 --hidden 4 --epochs 3 --lr 0.05 --vectors glove.txt \
    --freeze-embedding -o vectors.st
says 'train --vectors, without a header, words with blanks' '^vectors: *2 of ' err
cat >row.py <<'END'
import json, struct, sys
data = open("vectors.st", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + size])
row = json.loads(header["__metadata__"]["textclf.vocabulary"]).index(sys.argv[1])
begin = 8 + size + header["embedding.weight"]["data_offsets"][0] + 12 * row
print(*struct.unpack("<3f", data[begin:begin + 12]))
END
check '--freeze-embedding: the vectors stay' [ "$(python3 row.py film)" = '4.0 5.0 6.0' ]
python3 -c 'import struct
with open("binary", "wb") as f:
    f.write(b"3 3\n")
    for i, word in enumerate([b"good", b"no such", b"film"]):
        numbers = struct.pack("<3f", i + 0.5, i - 1, 1e-9 * i)
        f.write(word.replace(b" ", b"_") + b" " + numbers + b"\n")'
head -c 40 binary >cut
run train builtin:english --embedding 3 --hidden 4 --epochs 1 --lr 0.05 --vectors binary \
    --freeze-embedding -o vectors.st
says 'train --vectors, binary' '^vectors: *2 of ' err
check '--vectors, binary: the numbers of the file' [ "$(python3 row.py good)" = '0.5 -1.0 0.0' ]
run train builtin:english --embedding 3 --hidden 4 --epochs 1 --lr 0.05 --vectors binary \
    -o vectors.st
check '--vectors: without --freeze-embedding the vectors are trained' \
    [ "$(python3 row.py good)" != '0.5 -1.0 0.0' ]
refused 1 'cut: the header promises 3 words, but the file ends or is damaged at word' train \
    builtin:english --embedding 3 --vectors cut -o no.st
printf 'good 1 2 3 4\n' >wide.txt
refused 1 'wide.txt: the vectors have width 4, but --embedding is 3; give --embedding 4' train \
    builtin:english --embedding 3 --vectors wide.txt -o no.st
python3 -c 'print("good" + " 1" * 200000)' >wide.txt
refused 1 'wide.txt: the vectors have width 200000' train builtin:english --embedding 3 \
    --vectors wide.txt -o no.st
refused 1 'binary: the vectors have width 3' train builtin:english --embedding 8 --vectors binary \
    -o no.st
refused 1 'short.txt:2: "film" does not have 3 finite numbers' train builtin:english --embedding 3 \
    --vectors short.txt -o no.st
printf '\037\213\010\000\377\376 x\n' >packed.gz
refused 1 'packed.gz:1: neither text nor word2vec' train builtin:english --embedding 3 \
    --vectors packed.gz -o no.st
refused 1 'nan.txt:1: "good" does not have 3 finite numbers' train builtin:english --embedding 3 \
    --vectors nan.txt -o no.st
refused 1 'missing.txt: No such file' train builtin:english --vectors missing.txt -o no.st
check '--vectors: no model is saved after a failure' [ ! -e no.st ]

end_checks
