#!/bin/sh
# Training: checkpoints and resuming, several seeds, the optional parts of the model; and that the
# man page has every option. Usage: test_training.sh TEXTCLF. Prints a line for each check that
# fails, and a summary; exits with 1 if one failed.

. "$(dirname "$0")/commands.sh"

# ---- checkpoints ----

# Everything that has a state: dropout, word dropout, warm-up, the mean of the weights, the bag,
# several epochs.
set -- builtin:english --epochs 5 --embedding 24 --hidden 16 --ngrams 2 --buckets 5000 --max-pool \
    --average 40 --word-dropout 0.1 --warmup 10 --weight-decay 0.01 --lr 0.01 --batch-size 8
run train "$@" -o whole.st
ran 0 'a training that is not stopped'
check 'the best epoch is not the last one, so the checks below can fail' \
    [ "$(awk '$1 == 5 { print $NF }' out)" != '*' ]

# A training that is killed again and again at any moment ends in the same bits, and each file is
# complete at any time. KILLS=500 takes some minutes.
kills=0
ends=0
for wait in $(awk -v n="${KILLS:-16}" 'BEGIN { srand(1);
    for (i = 0; i < n; i++) print 0.03 + 0.37 * rand() }'); do
    "$textclf" train "$@" --checkpoint kill.ck --checkpoint-interval 0 --resume \
        -o killed.st >/dev/null 2>&1 &
    sleep "$wait"
    if kill -KILL $! 2>/dev/null; then kills=$((kills + 1)); fi
    wait $! 2>/dev/null
    [ -e killed.st ] || continue
    ends=$((ends + 1))
    check "after $kills kills a training ends in the same bits" cmp -s whole.st killed.st
    rm -f killed.st
done
check 'some training was killed' [ $kills -gt 0 ]
echo "killed $kills times; $ends trainings ended in between"
run train "$@" --checkpoint kill.ck --checkpoint-interval 0 --resume -o killed.st
ran 0 'a training that was killed'
check 'a training that was killed ends in the same bits' cmp -s whole.st killed.st
check 'the checkpoint is removed when training ends' [ ! -e kill.ck ]

# Ctrl-C during training: the checkpoint exists and the message names it.
"$textclf" train builtin:english --epochs 90000 --embedding 8 --hidden 8 --patience 0 \
    --checkpoint int.ck --checkpoint-interval 0 -o int.st >out 2>err &
waited=0
while [ ! -e int.ck ] && [ $waited -lt 600 ]; do sleep 0.1; waited=$((waited + 1)); done
rm -f int.ck
kill -INT $!
wait $!
says 'Ctrl-C with a checkpoint' \
    '^textclf: interrupted; to continue from int.ck, add --resume to the command$' err
check 'Ctrl-C leaves a checkpoint' [ -s int.ck ]
run train builtin:english --epochs 90000 --embedding 8 --hidden 8 --patience 0 --checkpoint int.ck \
    -o int.st
ran 1 'a checkpoint exists, without --resume'
advice='add --resume to continue it, or remove the file$'
says 'a checkpoint exists' \
    "^textclf: int.ck: this checkpoint holds an interrupted training; $advice" err
cp int.ck before.ck
rm -f int.st
for other in '--lr 0.002' '--seed 2' '--hidden 9' '--epochs 90001' '--average 32' \
    '--attention dot'; do
    # shellcheck disable=SC2086 # words are meant to split
    run train builtin:english --epochs 90000 --embedding 8 --hidden 8 --patience 0 $other \
        --checkpoint int.ck --resume -o int.st
    ran 1 "--resume with $other"
    says "--resume with $other" 'int.ck: the checkpoint belongs to another training: ' err
done
says 'the setting that differs' 'attention was additive and is dot;' err
run train builtin:chinese --epochs 90000 --embedding 8 --hidden 8 --patience 0 --checkpoint int.ck \
    --resume -o int.st
says '--resume with other data' \
    'another training: data was 378 and 42 rows ([0-9a-f]*) and is 198 and 22 rows ([0-9a-f]*);' err
if grep -aq 'instruction set[^a-z]*baseline' int.ck; then
    skip '--resume on another instruction set: the machine has only one'
else
    TG_ISA=baseline "$textclf" train builtin:english --epochs 90000 --embedding 8 --hidden 8 \
        --patience 0 --checkpoint int.ck --resume -o int.st >out 2>err
    says '--resume on another instruction set' \
        'another training: instruction set was [a-z0-9]* and is baseline' err
fi
check 'a refused --resume leaves the checkpoint alone' cmp -s int.ck before.ck
head -c 5000 int.ck >cut.ck
run train builtin:english --checkpoint cut.ck --resume -o int.st
says 'a truncated checkpoint' '^textclf: .*cut.ck' err
ran 1 'a truncated checkpoint'
run train builtin:english --checkpoint whole.st --resume -o int.st
says 'a model as a checkpoint' '^textclf: whole.st: the file is not a checkpoint of textclf; ' err
sed 's/"textclf.checkpoint":"2"/"textclf.checkpoint":"7"/' int.ck >newer.ck
run train builtin:english --checkpoint newer.ck --resume -o int.st
says 'a checkpoint of a newer program' \
    'newer.ck: the checkpoint has format 7, but this program reads 2; resume it with the program' \
    err
sed 's/"textclf.checkpoint":"2"/"textclf.checkpoint":"1"/' int.ck >older.ck
run train builtin:english --checkpoint older.ck --resume -o int.st
says 'a checkpoint of an older program' \
    'older.ck: the checkpoint has format 1, but this program reads 2; resume it with the program' \
    err
sed 's/\\"steps\\":/\\"stegs\\":/' int.ck >damaged.ck
run train builtin:english --epochs 90000 --embedding 8 --hidden 8 --patience 0 \
    --checkpoint damaged.ck --resume -o int.st
says 'a damaged checkpoint' 'damaged.ck: the checkpoint is damaged' err
python3 - <<'END'
import json, struct
data = open("int.ck", "rb").read()
size = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + size])
progress = json.loads(header["__metadata__"]["textclf.progress"])
progress["batches_done"] = 77777
header["__metadata__"]["textclf.progress"] = json.dumps(progress)
header = json.dumps(header).encode()
header += b" " * (-len(header) % 8)
open("damaged.ck", "wb").write(struct.pack("<Q", len(header)) + header + data[8 + size:])
END
run train builtin:english --epochs 90000 --embedding 8 --hidden 8 --patience 0 \
    --checkpoint damaged.ck --resume -o int.st
says 'a checkpoint after more batches than there are' \
    'damaged.ck: the checkpoint is damaged.*: its numbers contradict each other' err
refused 1 '--resume needs the checkpoint' train builtin:english --resume
refused 1 'a.st: two outputs have this name' train builtin:english --checkpoint a.st -o a.st
refused 1 'a.html: two outputs have this name' train builtin:english --checkpoint a.html \
    --report a.html
refused 1 'nowhere/a.ck: ' train builtin:english --checkpoint nowhere/a.ck
check 'what is refused leaves no model' [ ! -e int.st ]

# Training continues if a checkpoint does not fit on the disk.
mkdir full
(
    trap '' XFSZ
    ulimit -f 64 || exit 77
    exec "$textclf" train builtin:documents --epochs 3 --embedding 40 --hidden 8 --attention none \
        --checkpoint full/a.ck --checkpoint-interval 0 -o full/model.st >out 2>err
)
status=$?
if [ $status -eq 77 ]; then
    skip 'a full disk: ulimit -f does not work here'
else
    ran 0 'a checkpoint on a full disk'
    says 'a checkpoint on a full disk' \
        '^textclf: warning: training continues without a new checkpoint: ' err
    check 'a checkpoint on a full disk: nothing is left of it' [ "$(ls full)" = model.st ]
fi

# ---- several seeds ----

run train builtin:english --epochs 4 --embedding 16 --hidden 16 --lr 0.01 --seed 3 --seeds 3 \
    -o seeds.st
ran 0 'train --seeds'
check '--seeds: a line for each seed' [ "$(grep -c '^seed ' out)" -eq 3 ]
check '--seeds: mean and deviation follow from the lines' [ "$(awk '
    /^seed/ { n++; test[n] = $8 }
    /^test: / { mean = $3 + 0; deviation = $5 }
    END {
        for (i = 1; i <= n; i++) sum += test[i]
        for (i = 1; i <= n; i++) squares += (test[i] - sum / n) ^ 2
        print (sum / n - mean) ^ 2 < 1e-7 && (sqrt(squares / (n - 1)) - deviation) ^ 2 < 1e-7
    }' out)" = 1 ]
best=$(awk '/\*$/ { s = $2 } END { print s }' out)
run train builtin:english --epochs 4 --embedding 16 --hidden 16 --lr 0.01 --seed "$best" -o seed.st
check '--seeds: the best model is saved' cmp -s seed.st seeds.st
refused 1 '--checkpoint works for a single training' train builtin:english --seeds 2 \
    --checkpoint a.ck
refused 1 '--report works for a single training' train builtin:english --seeds 2 --report a.html

# ---- max-pooling and the bag ----

for kind in '--ngrams 2' '--max-pool' '--ngrams 3 --max-pool --encoder transformer' \
    '--ngrams 1 --encoder none --attention none' \
    '--max-pool --attention multihead --encoder lstm'; do
    # shellcheck disable=SC2086
    run train builtin:reviews --epochs 3 --embedding 16 --hidden 16 --lr 0.01 --buckets 3000 $kind \
        -o kind.st
    ran 0 "train $kind"
    accuracy=$(sed -n 's/^test: *\(accuracy [0-9.]*\).*/\1/p' out)
    run eval kind.st builtin:reviews-test
    says "$kind: the saved model is not the one that was measured" "^$accuracy " out
    printf 'a good film\n\nbad, really bad\n' | "$textclf" predict kind.st >together 2>err
    "$textclf" predict kind.st 'a good film' >alone 2>err
    check "$kind: a prediction does not depend on the other texts" \
        [ "$(head -n 1 together)" = "$(cat alone)" ]
done
# A bag of n-grams distinguishes two orders of the same words; a bag of words does not.
printf 'not good but bad\tno\nnot bad but good\tyes\n' >order.tsv
for n in 1 2; do
    run train order.tsv --encoder none --attention none --dropout 0 --ngrams $n --epochs 200 \
        --lr 0.01 -o order.st
    "$textclf" predict order.st 'not good but bad' 'not bad but good' 2>err | cut -f 1 |
        sort -u >answers
    check "--ngrams $n: $n predictions for two orders of the words ($(wc -l <answers))" \
        [ "$(wc -l <answers)" -eq $n ]
done

# ---- words ----

run train builtin:english --epochs 1 --embedding 4 --hidden 4 --max-vocab 50 -o few.st
says '--max-vocab' '^vocabulary: 50 words' out
run train builtin:english --epochs 1 --embedding 4 --hidden 4 --no-punctuation -o plain.st
run attend plain.st 'Good, really (good)!'
check '--no-punctuation: only the words are shown' [ "$(grep -c '^  ' out)" -eq 3 ]
check '--no-punctuation is saved in the model' [ "$(grep -c '[,()!]' out)" -eq 0 ]

# ---- the man page ----

page=$source/examples/text_classifier/textclf.1
for command in train compare check eval predict attend explain step tape; do
    "$textclf" $command --help | sed -n 's/^ .\{5\}--\([a-z-]*\) .*/\1/p' >>options
    check "the man page has the command $command" grep -q "^\.B.* $command" "$page"
done
"$textclf" --help | sed -n 's/.*textclf --\([a-z]*\) .*/\1/p' >>options
sort -u options >known
for option in $(cat known); do
    check "the man page has --$option" grep -q \
        -- "^\.B.*\\\\-\\\\-$(echo "$option" | sed 's/-/\\\\-/g')" "$page"
done
sed -n 's/^\.B.*\\-\\-\([a-z\\-]*\).*/\1/p' "$page" | tr -d '\\' | sort -u >described
check "the man page has no options that do not exist: $(comm -13 known described | tr '\n' ' ')" \
    [ -z "$(comm -13 known described)" ]

end_checks
