#!/bin/sh
# The data formats that textclf reads, and the output of textclf check.
# Usage: test_reading.sh TEXTCLF. Prints a line for each check that fails, and a summary; exits with
# 1 if one failed.

. "$(dirname "$0")/commands.sh"

# ---- formats ----

# The same rows in six formats give the same model to the bit, and textclf names each format.
form()
{
    file=$1
    description=$2
    shift 2
    run train "$file" --epochs 1 --embedding 4 --hidden 4 -o form.st "$@"
    ran 0 "train $file"
    says "train $file" "^textclf: $file: $description\$" err
    check "train $file: one line on standard error (it is: $(cat err))" [ "$(wc -l <err)" -eq 1 ]
    check "train $file: the same model as from rows.tsv" cmp -s rows.st form.st
}
awk 'BEGIN {
    for (i = 0; i < 30; i++)
        print (i % 3 ? "so \"good\", " : "bad; ") "film " i "\t" (i % 3 ? "pos" : "neg")
}' >rows.tsv
run train rows.tsv --epochs 1 --embedding 4 --hidden 4 -o rows.st
ran 0 'train rows.tsv'
says 'train rows.tsv' '^textclf: rows.tsv: TSV without a header, the label follows the last tab$' \
    err
sed 's/"/""/g; s/\(.*\)\t\(.*\)/7,"\1",\2\r/' rows.tsv | sed '1i\
\xef\xbb\xbfid,review,sentiment\r' >rows.csv
sed 's/"/""/g; s/\(.*\)\t\(.*\)/\2;"\1"/' rows.tsv >semicolons.csv
sed 's/\(.*\)\t\(.*\)/__label__\2 \1/' rows.tsv >rows.txt
sed 's/\(.*\)\t\(.*\)/\1 \2/' rows.tsv >last.txt
# with this machine's own tables, even if textclf is built for another
env -u GCONV_PATH iconv -f utf-8 -t utf-16 rows.csv >wide.csv
form rows.csv 'CSV with a header, text is column "review", label is column "sentiment"'
form rows.csv 'CSV with a header, text is column "review", label is column "sentiment"' --text 2 \
    --label Sentiment
form semicolons.csv 'CSV (delimiter: ";") without a header, text is column 2, label is column 1'
form rows.txt 'fastText lines, the label follows __label__'
form last.txt 'lines of text and label' --format text-label
form wide.csv 'CSV with a header, .*' --encoding utf-16
"$textclf" train - --epochs 1 --embedding 4 --hidden 4 -o form.st <rows.csv >out 2>err
says 'train -' '^textclf: standard input: CSV with a header' err
check 'train -: the same model' cmp -s rows.st form.st

# The options apply to all data of a command.
sed 's/id,review,sentiment/id,what,whether/' rows.csv >named.csv
run train named.csv --valid named.csv --test named.csv --text what --label whether --epochs 1 \
    --embedding 4 --hidden 4 -o form.st
ran 0 'train, --valid and --test with columns'
check 'how a file was read is reported for each file' \
    [ "$(grep -c 'named.csv: CSV with a header, text is column "what", label is column "whether"$' \
    err)" -eq 3 ]
run eval form.st rows.csv
ran 0 'eval on CSV'
says 'eval on CSV' '^accuracy .* of 30)' out
run eval form.st named.csv --text 2 --label 3
says 'eval --text --label' '^textclf: named.csv: CSV' err
"$textclf" compare - --encoder none --attention none --seeds 3 --epochs 1 --embedding 4 \
    --hidden 4 <rows.csv >out 2>err
check 'compare -' [ $? -eq 0 ]
check 'compare -: how the data was read is reported once' \
    [ "$(grep -c 'standard input: CSV' err)" -eq 1 ]

printf 'text,label\ngood,pos\n,neg\nbad,\nworse,neg\n' >gaps.csv
run train gaps.csv --epochs 1 --embedding 4 --hidden 4 -o form.st
says 'rows without a label' \
    '; left out rows without a label: 1 (first in line 4); empty texts: 1 (first in line 3)$' err
says 'a label that occurs once' \
    '^textclf: gaps.csv: labels that occur once: 1 (for example "pos"); ' err
printf '__label__a __label__b x\n__label__b y\n' >several.txt
run train several.txt --epochs 1 --embedding 4 --hidden 4 -o form.st
says 'several labels' '; rows with several labels (the first one counts): 1$' err

printf 'text,label\ngood,pos\n"bad,neg\n' >open.csv
printf 'label,text\npos,good\nneg,bad, really\npos,ok\n' >loose.csv
printf 'text,label\ngood,pos\nbad\n' >short.csv
printf 'text,label\ngood,\nbad,\n' >unlabelled.csv
printf 'text,label\ngood,pos\nfine,pos\n' >one.csv
printf 'text,label\n' >header.csv
head -c 300 /dev/urandom | sed 's/^/\x01\xff/' >binary
rm -f no.st
columns='the first row has 1 "id", 2 "review", 3 "sentiment"'
refused 1 "rows.csv: --text comment: no such column; $columns" train rows.csv --text comment \
    -o no.st
refused 1 'rows.csv: --label 4: no such column' train rows.csv --label 4 -o no.st
refused 1 'rows.csv: column 2 is both text and label' train rows.csv --text 2 --label review \
    -o no.st
refused 1 'rows.csv:2: every row has the label "7"' train rows.csv --label id -o no.st
refused 1 'rows.csv:2: 30 different labels in 30 rows' train rows.csv --label review --text id \
    -o no.st
refused 1 'open.csv:3: the quote that opens a field here is never closed' train open.csv -o no.st
advice='fields that contain the delimiter must be in quotes'
refused 1 "loose.csv:3: the row has 3 columns, but the first row has 2; $advice" train loose.csv \
    -o no.st
refused 1 'short.csv:3: the row has 1 column, but the first row has 2; add the missing columns' \
    train short.csv -o no.st
refused 1 'unlabelled.csv:2: 0 of 2 rows have a label' train unlabelled.csv -o no.st
refused 1 'one.csv:2: every row has the label "pos"' train one.csv -o no.st
refused 1 'header.csv:1: the file has no rows' train header.csv -o no.st
refused 1 'binary:1: byte 2 of the line, 0xFF' train binary -o no.st
refused 1 'wide.csv:1: byte 1 of the line, 0xFF, is not valid UTF-8; .*--encoding utf-16' train \
    wide.csv -o no.st
refused 1 '--encoding klingon: unknown encoding' train rows.csv --encoding klingon -o no.st
refused 1 'standard input:1: the file has no rows' train - -o no.st
refused 1 'short.csv:3: the row has 1 column,' train rows.csv --valid short.csv -o no.st
refused 1 'rows.csv: --label stars: no such column' eval rows.st rows.csv --label stars
check 'refused data leaves no model' [ ! -e no.st ]

# ---- check ----

{
    printf 'text,label\n'
    awk 'BEGIN { for (i = 0; i < 12; i++) print "a film of " i ",pos";
        for (i = 0; i < 12; i++) print "a book of " i ",neg" }'
    printf 'twice,pos\ntwice,pos\nboth,pos\nboth,neg\n,neg\nx,\nb\010ll,neg\na &amp; b,neg\n'
    printf 'c\\d,neg\nstrange,odd\n"""quoted""",neg\n'
} >odd.csv
run check odd.csv
ran 0 check
columns='^odd.csv: CSV with a header, text is column "text", label is column "label"'
says 'check: how it is read' \
    "$columns; left out rows without a label: 1 (first in line 31)" out
says 'check: rows' '^rows: *34$' out
says 'check: balance' '^label: *18  52.9 %  neg  *█' out
says 'check: a rare label' '^rare: *1 label in only one row: odd (line 35)$' out
says 'check: sorted' '^order: *[0-9]* changes of label' out
says 'check: empty texts' '^empty: *1 text, the first in line 30$' out
says 'check: repeated texts' \
    '^repeated: *1 text in 2 rows, with the same label: lines 26 (pos), 27 (pos)$' out
says 'check: conflicting labels' \
    '^conflict: *1 text in 2 rows, with different labels: lines 28 (pos), 29 (neg)$' out
says 'check: a control character' \
    '^odd: *1 text with control characters (first in line 32, byte 0x08)' out
says 'check: HTML' '^odd: *1 text with remains of HTML (first in line 33)' out
says 'check: backslashes' '^odd: *1 text with backslashes.*line 34)' out
says 'check: quotes' '^quoted: *1 fields, with 2 doubled' out
says 'check: lengths' '^tokens: .* per text 0 to 5 (line 33), quartiles [0-9]*, 4, 4$' out
says 'check: a histogram' '^ *4 to 7  *25 █' out
check 'check: standard error is empty' [ ! -s err ]
printf 'a film of 3,pos\na film of 4,neg\nzzyzx of 4,neg\nboth,pos\n' >other.csv
run check odd.csv other.csv
ran 0 'check two files'
says 'check: leakage' \
    '^leakage: *3 texts of the first in 3 rows (75.0 %) of the second, 1 with another label: ' \
    out
says 'check: the lines of leakage' ': lines 5 and 1, 6 and 2' out
rest='are not in the first; the most frequent: zzyzx$'
says 'check: unknown words' \
    "^unknown: *1 of the 7 words of the second, 8.3 % of its tokens, $rest" out
run check one.csv
ran 0 'check on one label'
says 'check on one label' 'training needs rows with at least two labels' out
run check builtin:reviews builtin:reviews-test
ran 0 'check on what is built in'
says 'check: no leakage in what is built in' '^leakage: *0 texts' out
check 'check: shuffled rows are not reported as sorted' [ "$(grep -c '^order' out)" -le 1 ]
refused 1 'missing.csv: No such file' check odd.csv missing.csv
refused 1 'short.csv:3: the row has 1 column,' check short.csv

end_checks
