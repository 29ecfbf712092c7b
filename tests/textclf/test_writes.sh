#!/bin/sh
# How textclf, word_vectors and attention_by_hand write files, as strace shows it. Usage:
# test_writes.sh TEXTCLF, with the others in the same folder. Each file is written under a temporary
# name in a locked folder, synced and renamed, and then the folder is synced. No other file is
# opened for writing, and a checkpoint is removed only after the model is on the disk. Prints a line
# for each check that fails, and a summary; exits with 1 if one failed, with 77 if strace is not
# installed or not allowed.

. "$(dirname "$0")/commands.sh"
if ! strace -o trace -y -s 0 true 2>err; then
    echo "skipped: how files are written: strace does not work here: $(head \
        -n 1 err) (Debian: strace)"
    exit 77
fi
# LeakSanitizer is a tracer itself, so it is off.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
export ASAN_OPTIONS

# traced PROGRAM ARGUMENT...: as run, with the calls that touch files in trace. A question mark is
# for systems without the call.
calls=openat,?open,?creat,write,writev,pwrite64,ftruncate,fsync,fdatasync,flock
calls=$calls,?rename,?renameat,renameat2,?unlink,unlinkat,?link,linkat
traced()
{
    strace -f -y -s 0 -o trace -e trace=$calls "$@" >out 2>err </dev/null
    status=$?
}

# examine FILE: reads the trace and writes to history a line for each file that was saved or
# removed, and a line that begins with "wrong" for each call that breaks the rule
examine()
{
    awk -v here="$(pwd -P)" '
        function absolute(name) { return name ~ /^\// ? name : here "/" name }
        function folder_of(name) { sub(/\/[^\/]*$/, "", name); return name }
        function wrong(what) { print "wrong: " what ": " $0 }
        { sub(/^[0-9]+ +/, "") }
        / = -1 / || /^(\+\+\+|---) / { next } # a call that failed; the end of a process; a signal
        /unfinished|resumed/ { wrong("a call in two parts"); next }
        { call = $0; sub(/\(.*/, "", call) }
        # names: text in quotes; file: what the descriptor in front stands for
        {
            n = split($0, quoted, "\"")
            one = absolute(quoted[2])
            two = n > 3 ? absolute(quoted[4]) : ""
            descriptor = file = $0
            sub(/^[^(]*\(/, "", descriptor)
            sub(/<.*/, "", descriptor)
            sub(/^[^<]*</, "", file)
            sub(/>[,)].*/, "", file)
        }
        call == "openat" || call == "open" || call == "creat" {
            if (call != "creat" && $0 !~ /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/) next
            if (one ~ /^\/(dev|proc|sys)\//) next
            if (one !~ /\.partial$/) wrong("opened for writing")
            if ($0 !~ /O_TRUNC/ || $0 !~ /O_NOFOLLOW/) wrong("not emptied, or by way of a link")
            if (!locked[folder_of(one)]) wrong("its folder is not locked")
            if (waits != "") wrong("the folder of " waits " is not synced")
            state[one] = "empty"
            next
        }
        call == "flock" { locked[file] = $0 ~ /LOCK_EX/; next }
        call ~ /^(write|writev|pwrite64|ftruncate)$/ {
            if (descriptor == 1 || descriptor == 2 || index(file, here "/") != 1) next
            if (!(file in state)) wrong("written")
            state[file] = "written"
            next
        }
        call == "fsync" && file in state { if (state[file] == "written") state[file] = "synced";
            next }
        call == "fsync" && waits != "" && file == folder_of(waits) {
            print "saved " substr(waits, length(here) + 2)
            waits = ""
            next
        }
        call ~ /^rename/ {
            if (one != two ".partial" || state[one] != "synced")
                wrong("renamed, but " (one in state ? state[one] : "not open"))
            delete state[one]
            locked[folder_of(two)] = 0 # until it is opened again
            waits = two
            next
        }
        call ~ /^unlink/ {
            if (waits != "") wrong("the folder of " waits " is not synced")
            if (one in state && state[one] != "empty") wrong("dropped")
            if (one !~ /\.partial$/) print "removed " substr(one, length(here) + 2)
            delete state[one]
            locked[folder_of(one)] = 0
            next
        }
        { wrong("a call that nobody knows") }
        END {
            if (waits != "") print "wrong: the folder of " waits " is not synced"
            for (name in state) print "wrong: " name " is left"
        }' trace >history
    check "$1: $(grep -m 3 '^wrong' history)" [ "$(grep -c '^wrong' history)" -eq 0 ]
    check "$1 is saved: $(cat history)" grep -q "^saved $1\$" history
}

mkdir folder
traced "$textclf" train builtin:english --epochs 2 --embedding 8 --hidden 8 \
    --checkpoint folder/run.ck --checkpoint-interval 0 --report run.html -o run.st
ran 0 'a training'
examine run.st
check 'the report is saved' grep -q '^saved run.html$' history
check 'a checkpoint is saved each epoch' [ "$(grep -c '^saved folder/run.ck$' history)" -ge 2 ]
check "the checkpoint is removed after the model is saved: $(cat history)" \
    [ "$(awk '/^saved run.st/ { saved = 1 } /^removed folder.run.ck/ && saved' history)" ]
echo "$(grep -c '^saved folder/run.ck$' history) checkpoints were saved"

traced "$textclf" train builtin:english --epochs 2 --embedding 8 --hidden 8 -o run.st
ran 0 'a training over an old model'
examine run.st
for command in attend explain step; do
    traced "$textclf" $command run.st 'a good film' -o $command.html
    ran 0 $command
    examine $command.html
done
traced "$textclf" tape run.st 'a good film' -o tape.dot
ran 0 tape
examine tape.dot
if [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ]; then
    traced "$textclf" attend run.st 'a good film' -o attend.png
    ran 0 'attend, a picture'
    examine attend.png
else
    skip 'a picture: there is no font'
fi

programs=$(dirname "$textclf")
printf 'the cat sat\nthe dog sat\na cat a dog\n' >own.txt
traced "$programs/word_vectors" --width 4 --epochs 2 --sample 1 -o words.txt own.txt
ran 0 word_vectors
examine words.txt
traced "$programs/attention_by_hand" -o hand.html
ran 0 attention_by_hand
examine hand.html

end_checks
