#!/bin/sh
# examples.sh FOLDER: tests what the example programs in FOLDER print and draw. They run in a
# temporary folder. An example checks its own claims, and its exit status tells whether they hold;
# the tests look for certain numbers, too. Prints a line for each check that fails, and a summary;
# exits with 1 if one failed.

[ $# -eq 1 ] && [ -d "$1" ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
built=$(cd "$1" && pwd)
. "$(dirname "$0")/checks.sh"

# run NAME ARGUMENT...: runs an example, which has to end with 0 and print nothing on standard
# error; its output is in out
run()
{
    name=$1
    shift
    status=0
    "$built/$name" "$@" >out 2>err </dev/null || status=$?
    check "$name $*: status $status: $(tail -n 3 out) $(head -n 3 err)" [ "$status" -eq 0 ]
    check "$name $*: on standard error: $(head -n 3 err)" [ ! -s err ]
}

# refused PATTERN NAME ARGUMENT...: the example has to end with 1 or 2, and print one line on
# standard error that matches PATTERN
refused()
{
    pattern=$1
    name=$2
    shift 2
    status=0
    "$built/$name" "$@" >out 2>err </dev/null || status=$?
    check "$name $*: status $status" [ $((status == 1 || status == 2)) -eq 1 ]
    check "$name $*: not one line: $(cat err)" [ "$(wc -l <err)" -eq 1 ]
    check "$name $*: the line is \"$(cat err)\", not \"$pattern\"" grep -q "$pattern" err
}

# says PATTERN: a line of the last output has to match
says()
{
    check "$name: no line of its output matches \"$1\"" grep -q -- "$1" out
}

# says_number MIN MAX PATTERN: in the last line that matches, the first number after the match has
# to be between MIN and MAX
says_number()
{
    number=$(sed -n "s/$3[^0-9-]*\(-*[0-9.]*[0-9]\).*/@\1/p" out | tail -n 1 | sed 's/.*@//')
    check "$name: after \"$3\" comes \"$number\", not $1 .. $2" \
        awk -v n="$number" -v min="$1" -v max="$2" \
        'BEGIN { exit !(n != "" && n + 0 >= min && n + 0 <= max) }'
}

# draws FILE WIDTH HEIGHT: FILE has to be a complete PNG of this size, and not empty
draws()
{
    check "$name: $1 is missing" [ -s "$1" ]
    [ -s "$1" ] || return
    check "$name: $1 does not start as a PNG" \
        [ "$(od -An -tu1 -N8 "$1" | tr -s ' ')" = ' 137 80 78 71 13 10 26 10' ]
    check "$name: $1 does not end as a PNG" \
        [ "$(tail -c 8 "$1" | od -An -tx1 | tr -d ' ')" = 49454e44ae426082 ]
    size=$(od -An -tu1 -j16 -N8 "$1" | awk '{ print 256 * $3 + $4, 256 * $7 + $8 }')
    check "$name: $1 has $size pixels, not $2 $3" [ "$size" = "$2 $3" ]
    check "$name: $1 is nearly empty" [ "$(wc -c <"$1")" -gt 5000 ]
}

# ---- attention_by_hand ----

run attention_by_hand
says 'scores .* 1\.4000$'
says 'weights .* 1\.0000$'
says 'result .* 0\.1000  0\.2000  0\.3000$'
for result in 0.2067 0.2132 0.2197; do
    says "^.* $result\$"
done
says 'z = sum_i a_i y .*that is y itself'
check 'attention_by_hand: not one line for each of 12 errors' [ "$(grep -c '^ ! ' out)" -eq 12 ]
check 'attention_by_hand: not three checked examples' \
    [ "$(grep -c 'tg_gradcheck confirms all' out)" -eq 3 ]
says '^Every number above holds\.$'

# ---- find_the_fault ----

run find_the_fault
where='(operator 5, scope "entropy")'
says "^  log: the result \[4, 2\] is -inf at \[0, 1\] $where: the logarithm needs numbers above 0"
says '^  hidden.weight  |gradient| 0.0000$'
check 'find_the_fault: not ten lines for seven faults' \
    [ "$(grep -c '^[^ ]' out) $(grep -c '^  ' out)" = '7 10' ]

# ---- regress ----

run regress
says_number 0.1 10 '^softmax'
says '^softmax .* 0\.000[0-9]*  100\.0 %$'
says '^raw products .* 0\.000[0-9]*  100\.0 %$'

# ---- image_attention ----

run image_attention -m model
says_number 95 100 'largest weight lies on it'
says_number 95 100 'colour is right'
draws image_attention.png 1352 968
# A picture of one's own: a blue disc on the left, a red square on the right
awk 'BEGIN {
    printf "P6\n240 120\n255\n"
    for (y = 0; y < 120; y++) for (x = 0; x < 240; x++) {
        disc = (x - 60) ^ 2 + (y - 60) ^ 2 < 30 ^ 2
        square = x > 153 && x < 207 && y > 33 && y < 87
        printf "%c%c%c", disc ? 46 : square ? 219 : 245, disc ? 82 : square ? 51 : 245,
            disc ? 204 : square ? 46 : 245
    }
}' >own.ppm
run image_attention -m model -o own.png own.ppm
says_number 40 80 'the circle *at'
says_number 160 200 'the square *at'
says 'the circle .* blue$'
says 'the square .* red$'
draws own.png 1610 288
refused 'image_attention: missing.png: ' image_attention missing.png
refused 'image_attention: no/such/folder.png: ' image_attention -m model -o no/such/folder.png
refused 'usage: image_attention' image_attention own.ppm 7

# ---- recommend ----

run recommend
says 'tastes a user   mean pooling   attention'
says_number 0.9 1 '^ *1  *[0-9.]*'
says_number 0.6 0.8 '^ *4 '
says_number 0.88 1 '^ *4  *[0-9.]*'
says 'A new user'

# ---- attention_cost ----

run attention_cost -t 1024
check 'attention_cost: not four rows' \
    [ "$(grep -c '^ *[0-9]*\( *[0-9]*\.[0-9][0-9]\)\{6\}$' out)" -eq 4 ]
says 'tiled attention  *n: x 4   d: x 2    O(n^2 d)'
says 'LSTM  *n: x 2   d: x 4    O(n d^2)'
draws attention_cost.png 1530 760
# the picture can be read
run image_attention -m model -o again.png attention_cost.png
says 'attention_cost.png, 1530 x 760 pixels'
refused 'usage: attention_cost' attention_cost -t 1000

# ---- translate ----

run translate --quick --min-accuracy 80 -o date.png "Sat, 9 May 98"
says '^Sat, 9 May 98 -> 1998-05-09$'
draws date.png 900 748
run translate --quick --attention none
says_number 5 60 'held-out exact match'
run translate --model transformer --steps 250 --min-accuracy 30 -o date.png "9 May 1998"
draws date.png 900 748
refused 'fewer than 99 % are right' translate --steps 1 --min-accuracy 99
refused 'translate: no/such/folder.png: ' translate --steps 1 -o no/such/folder.png
refused 'sharp: it must be dot, scaled-dot, ' translate --attention sharp
refused '1 to 63 ASCII characters' translate "$(printf '9 mai 1998 \303\240 midi')"

# ---- word_vectors ----

run word_vectors
says_number 90 100 'of the same kind among the 5 nearest'
says_number 90 100 'japan = tokyo'
check 'word_vectors: the file does not start with "157 32"' \
    [ "$(head -n 1 vectors.txt)" = '157 32' ]
check 'word_vectors: the file has no 157 lines of a word and 32 numbers' \
    [ "$(awk 'NR > 1 && NF == 33' vectors.txt | wc -l)" -eq 157 ]
run word_vectors -o again.txt
check 'word_vectors: the same seed writes another file' cmp -s vectors.txt again.txt
printf 'The cat sat.\tlabel\nthe dog sat!\tlabel\nA cat, a dog\tlabel\n' >own.tsv
run word_vectors -o own.txt --width 4 --epochs 2 --sample 1 own.tsv cat label
says '^  cat .* dog '
says '^  label *is not in the vocabulary'
check 'word_vectors: not the words of own.tsv' \
    [ "$(cut -d ' ' -f 1 own.txt | sort | tr '\n' ' ')" = '5 a cat dog sat the ' ]
refused 'word_vectors: missing.txt: ' word_vectors missing.txt
refused 'fewer than two words' word_vectors /dev/null
refused 'raise --sample' word_vectors --sample 1e-9 own.tsv

end_checks
