#!/bin/sh
# One model trained by several processes. Usage: test_ranks.sh TEXTCLF [RANKS], RANKS being textclf
# built with MPI. Prints a line for each check that fails, and a summary; exits with 1 if one
# failed, with 77 without MPI.

ranks=$2
if [ -z "$ranks" ] || ! command -v mpirun >/dev/null; then
    echo "skipped: several processes: there is no MPI (Debian: libopenmpi-dev, openmpi-bin)"
    exit 77
fi
ranks=$(cd "$(dirname "$ranks")" && pwd)/$(basename "$ranks")
set -- "$1"
. "$(dirname "$0")/commands.sh"
# Allows root, and more processes than cores; ignores the leaks of MPI itself.
OMPI_ALLOW_RUN_AS_ROOT=1
OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export OMPI_ALLOW_RUN_AS_ROOT OMPI_ALLOW_RUN_AS_ROOT_CONFIRM ASAN_OPTIONS
mpirun --oversubscribe -n 2 true >/dev/null 2>err || {
    echo "skipped: several processes: mpirun does not work: $(head -n 3 err)"; exit 77; }

# together N ARGUMENT...: runs N processes; output and exit status are as after run
together()
{
    number=$1
    shift
    mpirun --oversubscribe -n "$number" "$ranks" "$@" >out 2>err </dev/null
    status=$?
}

# ---- the same bits, and the same model as by one process ----

# Everything that has a state: dropout, word dropout, the mean of the weights, the bag, several
# epochs. The shares of 13 rows are unequal, and in the last batch, of one row, only one process has
# a row.
set -- builtin:english --epochs 3 --embedding 24 --hidden 16 --ngrams 2 --buckets 5000 --max-pool \
    --average 40 --word-dropout 0.1 --warmup 10 --weight-decay 0.01 --lr 0.01 --batch-size 13
run train "$@" -o plain.st
lines=$(wc -l <out)
"$ranks" train "$@" -o alone.st >out 2>err
check 'one process of a build with MPI gives the same bits' cmp -s plain.st alone.st
for n in 2 3; do
    together $n train "$@" -o "$n.st"
    ran 0 "$n processes"
    check "$n processes: as many lines are printed as by one: $(cat out)" \
        [ "$(wc -l <out)" -eq "$lines" ]
    check "$n processes: standard error is empty (it is: $(cat err))" [ ! -s err ]
    together $n train "$@" -o again.st
    check "$n processes: the same bits a second time" cmp -s "$n.st" again.st
done

# Without random numbers only the order of additions differs from one process. The labels differ in
# number and weight.
awk -F '\t' '$2 == "positive" || ++n % 3 == 0' \
    "$source/examples/data/english_train.tsv" >unequal.tsv
check 'the labels differ in number' [ "$(grep -c 'negative$' unequal.tsv)" -eq 70 ]
set -- unequal.tsv --epochs 4 --embedding 16 --hidden 16 --dropout 0 --min-count 2 \
    --class-weight balanced --label-smoothing 0.1 --batch-size 16
run train "$@" -o same.st
grep '^ *[1-4] ' out | awk '{ print $2, $3 }' >losses
for n in 2 3; do
    together $n train "$@" -o same.st
    check "$n processes: the losses are $(tr '\n' ' ' <losses) (they are $(grep '^ *[1-4] ' out |
        awk '{ print $2, $3 }' | tr '\n' ' '))" \
        [ "$(grep '^ *[1-4] ' out | awk '{ print $2, $3 }' | paste -d ' ' losses - |
            awk '{ for (i = 1; i < 3; i++) if (($i - $(i + 2)) ^ 2 < 4e-4 ^ 2) good++ } END {
            print good }')" = 8 ]
done

# ---- interruptions ----

set -- builtin:english --epochs 3 --embedding 24 --hidden 16 --ngrams 2 --buckets 5000 --max-pool \
    --average 40 --word-dropout 0.1 --warmup 10 --weight-decay 0.01 --lr 0.01 --batch-size 13
# start FILE RANK ARGUMENT...: starts two processes as $job, waits for the checkpoint FILE, and sets
# $victim to the process of that rank
start()
{
    checkpoint=$1
    rank=$2
    shift 2
    mpirun --oversubscribe -n 2 "$ranks" train "$@" --checkpoint "$checkpoint" \
        --checkpoint-interval 0 >out 2>err </dev/null &
    job=$!
    while [ ! -s "$checkpoint" ] && kill -0 $job 2>/dev/null; do sleep 0.05; done
    victim=
    for child in $(cat /proc/$job/task/$job/children 2>/dev/null); do
        tr '\0' '\n' <"/proc/$child/environ" 2>/dev/null |
            grep -q "^OMPI_COMM_WORLD_RANK=$rank\$" && victim=$child
    done
}
for rank in 0 1; do
    for attempt in 1 2 3 4 5; do # it may end before it is killed
        start killed.ck $rank "$@" -o killed.st
        kill -KILL "$victim" 2>/dev/null
        wait $job || break
        rm -f killed.ck killed.st
    done
    check "rank $rank killed: the job fails and leaves a checkpoint" [ -s killed.ck ]
    check "rank $rank killed: no model is saved" [ ! -e killed.st ]
    together 2 train "$@" --checkpoint killed.ck --checkpoint-interval 0 --resume -o killed.st
    ran 0 "rank $rank killed: resumed"
    says "rank $rank killed" 'training resumes in epoch' err
    check "rank $rank killed: resumed, it ends in the same bits" cmp -s killed.st 2.st
    check "rank $rank killed: the checkpoint is removed at the end" [ ! -e killed.ck ]
    rm -f killed.st
done

# mpirun passes Ctrl-C on. After a signal to one process all stop.
set -- builtin:english --epochs 90000 --embedding 8 --hidden 8 --patience 0
for who in job 1; do
    start $who.ck 1 "$@" -o $who.st
    if [ $who = job ]; then kill -TERM $job; else kill -TERM "$victim"; fi
    wait $job
    check "a signal to $who: the job fails" [ $? -ne 0 ]
    says "a signal to $who" \
        "^textclf: interrupted; to continue from $who.ck, add --resume to the command\$" err
done
run train "$@" --checkpoint 1.ck --resume -o one.st
ran 1 'one process resumes what two began'
says 'one process resumes what two began' \
    '1.ck: the checkpoint belongs to another training: processes was 2 and is 1;' err

# ---- errors in one process ----

together 3 train missing.tsv -o failed.st
check 'missing data: the job fails' [ $status -ne 0 ]
check "missing data: reported once: $(cat err)" [ "$(grep -c '^textclf: missing.tsv: ' err)" -eq 1 ]
mpirun --oversubscribe -n 1 "$ranks" train builtin:english -o failed.st : -n 1 "$ranks" train \
    builtin:chinese -o failed.st >out 2>err </dev/null
check 'other data: the job fails' [ $? -ne 0 ]
says 'other data' \
    '^textclf: process 1 differs from process 0 in its options, its data or its instruction set$' \
    err
check 'failed jobs leave no model' [ ! -e failed.st ]

end_checks
