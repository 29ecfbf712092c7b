#!/bin/sh
# quickstart.sh: from a fresh clone to a classifier that shows where it looked. Installs what is missing, builds in build/,
# trains the documents' own classifier without and with attention, then one on the reviews that come with tapegrad, and
# draws attention.png.
set -eu
cd "$(dirname "$0")/.."
. tests/setup.sh
# shellcheck disable=SC2086 -- lists of words
install $BUILD_TOOLS $LIBRARIES $FONTS
build build

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo
echo "== The documents' classifier: four sentences, ten epochs, an embedding and an LSTM of 50, without attention"
build/textclf train builtin:documents --encoder lstm --embedding 50 --hidden 50 --dropout 0 --epochs 10 --attention none -o "$work/plain"
build/textclf predict "$work/plain" "The movie is amazing"

echo
echo "== The same with attention"
build/textclf train builtin:documents --encoder lstm --embedding 50 --hidden 50 --dropout 0 --epochs 10 --attention additive -o "$work/attentive"
build/textclf predict "$work/attentive" "The movie is amazing"

echo
echo "== The reviews: 640 short ones, English and Chinese, and 130 held out"
build/textclf train -o model.safetensors
build/textclf predict model.safetensors "The movie is amazing" "The plot is dull, and the acting is worse" "菜很好吃，下次还来"
build/textclf attend model.safetensors "The movie is amazing, but the ending is a little slow" -o attention.png

echo
echo "Now yours:  build/textclf train YOUR.tsv -o YOUR.model     (or .csv; build/textclf check YOUR.tsv looks at it first)"
