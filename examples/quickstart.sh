#!/bin/sh
# quickstart.sh: from a fresh clone to a text classifier that shows where it looked. It installs
# missing packages, builds two programs in build/, trains three small classifiers, and writes
# model.safetensors, attention.png and step.html.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES $FONTS
start=$(date +%s)
ONLY='textclf attention_by_hand' build build -Dexamples=enabled

# Threads that wait must not spin: other programs may be busy on this machine.
export OMP_WAIT_POLICY=passive

# show COMMAND...: prints the command as one would type it
show() {
    printf '\n$'
    for word in "$@"; do
        case $word in
            *[!a-zA-Z0-9_./:=-]*) printf ' "%s"' "$word" ;;
            *) printf ' %s' "$word" ;;
        esac
    done
    echo
}

run() {
    show "$@"
    "$@" 2>&1
}

# train OPTION...: trains, and prints the first epoch, each better one, the last one, and the result
train() {
    show build/textclf train "$@"
    build/textclf train "$@" >build/train.log || exit 1
    awk '/^epoch/ { print; next }
         /^ *[0-9]+ / { last = $0; shown = / 1 / || /\*$/; if (shown) print; next }
         last != "" { if (!shown) print last; last = "" }
         /^(saved|test): / && !/ rows of / { print }' build/train.log
}

cat <<'END'

== 1. Four sentences, without attention and with it

Four labelled sentences are too few to learn from, and the probability stays near one half either
way. But this is a whole training: word vectors, an LSTM, attention (or not), a linear layer;
backward pass and Adam step.
END
four='builtin:documents --encoder lstm --embedding 50 --hidden 50 --dropout 0 --epochs 10'
# shellcheck disable=SC2086 -- a list of words
train $four --attention none -o build/plain.safetensors
run build/textclf predict build/plain.safetensors "The movie is amazing"
# shellcheck disable=SC2086 -- a list of words
train $four --attention additive -o build/attentive.safetensors
run build/textclf predict build/attentive.safetensors "The movie is amazing"

cat <<'END'

== 2. 640 short reviews, English and Chinese, and 130 others to test the model on

The encoder is left out: attention weighs the word vectors themselves, so each weight belongs to one
word alone.
END
train --encoder none -o model.safetensors
run build/textclf predict model.safetensors "The movie is amazing" "The acting is awful" "菜很好吃，下次还来"

cat <<'END'

== 3. Where does it look, and does the answer depend on that?
END
review='The soup was cold, but the staff were friendly and helpful'
run build/textclf attend model.safetensors "$review" -o attention.png
run build/textclf explain model.safetensors "$review" | sed '/^A flag marks/,$d'

cat <<'END'

== 4. How does it learn? The backward pass, by formula, on the tape, and by finite differences

$ build/attention_by_hand
END
build/attention_by_hand | sed -n '/^3/,/tg_gradcheck/p'
run build/textclf step model.safetensors "$review" -o step.html

cat <<END

Done in $(($(date +%s) - start)) seconds.
  attention.png    the picture of the attention above
  step.html        open it in a browser: the backward pass of that model, one operator at a time
  your own data    build/textclf check YOUR.csv, then
                    build/textclf train YOUR.csv -o YOUR.safetensors
  more examples    examples/README.md; sh tests/run.sh builds them all and runs the tests
END
