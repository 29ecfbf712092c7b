#!/usr/bin/env python3
"""Writes the seeds of the fuzzers into corpus/: the files seed-*. The other files there have found
faults.
"""

import json
import os
import struct

here = os.path.dirname(os.path.abspath(__file__))


def write(target, name, data):
    path = os.path.join(here, "corpus", target, "seed-" + name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def tensors(shapes, size=4, dtype="F32", metadata=None):
    """The header of a file of parameters, and seven numbers of which its data are made."""
    header, offset = {}, 0
    for name, shape in shapes.items():
        count = 1
        for length in shape:
            count *= length
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [offset, offset + count * size],
        }
        offset += count * size
    if metadata:
        header["__metadata__"] = metadata
    numbers = [0.25, -0.5, 1.0, -0.125, 0.75, -1.5, 0.0625]
    packed = b"".join(
        struct.pack({"F32": "<f", "F64": "<d", "F16": "<e"}.get(dtype, "<f"), x)[-size:]
        for x in numbers
    )
    return json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode() + b"\0" + packed


def complete_file(assembled):
    header, data = assembled.split(b"\0", 1)
    return struct.pack("<Q", len(header)) + header + data


# ---- parameters: when they are registered; "a" (header and data) or "r" (a complete file) ----

own = {"w": [2, 3], "b": [3], "s": [], "none": [0, 4]}
state = {
    "optimizer/exp_avg/w": [2, 3],
    "optimizer/exp_avg_sq/w": [2, 3],
    "optimizer/momentum_buffer/b": [3],
}
write("params", "f32", b"aa" + tensors(own, metadata={"k": "v"}))
write("params", "f64", b"ba" + tensors(own, 8, "F64"))
write("params", "f16", b"aa" + tensors(own, 2, "F16"))
write("params", "bf16", b"aa" + tensors(own, 2, "BF16"))
write("params", "state", b"aa" + tensors({**own, **state}))
steps = tensors({**own}, 8, "F64").replace(
    b'"none"', b'"optimizer/steps/w":{"dtype":"F64","shape":[],"data_offsets":[80,88]},"none"'
)
write("params", "steps", b"ba" + steps.replace(b"[80,80]", b"[88,88]"))
write("params", "whole", b"ar" + complete_file(tensors({"s": []})))

# Headers that are odd, but right.
four = tensors(own).split(b"\0")[0].decode()[1:-1]
more = four.replace('"shape"', '"more":%s,"shape"', 1)
for name, header in {
    "deep": "{" + more % ("[" * 125 + "]" * 125) + "}",
    "nested": "{" + more % '{"a":[1,-2.5e+10,{"b":[true,false,null,{}]},[[]]],"c":"\\u00e9"}' + "}",
    "null-metadata": '{"__metadata__":null,%s}' % four,
    "escapes": '{"__metadata__":{"k":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00"},%s}' % four,
    "white": "{" + four.replace(":", "\t:\r\n").replace(",", " , ") + "\n}   ",
}.items():
    write("params", "header-" + name, "ba" + header + "\0" + 4 * "abcd")

# Headers that the library refuses, for 16 bytes of data.
entry = '"dtype":"F32","shape":[4],"data_offsets":[0,16]'
tensor = '"x":{%s}' % entry


def placed(shape, begin, end):
    return '{"dtype":"F32","shape":%s,"data_offsets":[%s,%s]}' % (shape, begin, end)


for name, header in {
    "too-deep": '{"x":{%s,"more":%s}}' % (entry, '{"a":' * 1000 + "1" + "}" * 1000),
    "huge-number": '{"x":%s}' % placed("[4]", 0, "9" * 100),
    "huge-size": '{"x":%s}' % placed("[9223372036854775807,9223372036854775807]", 0, 16),
    "beyond-int64": '{"x":%s}' % placed("[9223372036854775808]", 0, 16),
    "fraction": '{"x":%s}' % placed("[4.0]", 0, "1.6e1"),
    "negative": '{"x":%s}' % placed("[-4]", -16, 0),
    "leading-zero": '{"x":%s}' % placed("[04]", 0, 16),
    "seven-axes": '{"x":%s}' % placed("[1,1,1,1,1,1,4]", 0, 16),
    "twice-name": '{"x":%s,"\\u0078":%s}' % (placed("[2]", 0, 8), placed("[2]", 8, 16)),
    "twice-key": '{"x":{"dtype":"F32",%s}}' % entry,
    "twice-metadata": '{"__metadata__":{},"__metadata__":{},%s}' % tensor,
    "twice-text": '{"__metadata__":{"k":"1","k":"2"},%s}' % tensor,
    "bad-escape": '{"\\x":{%s}}' % entry,
    "short-escape": '{"__metadata__":{"k":"\\u12"},%s}' % tensor,
    "high-surrogate": '{"__metadata__":{"k":"\\ud83d"},%s}' % tensor,
    "low-surrogate": '{"__metadata__":{"k":"\\ude00\\ud83d"},%s}' % tensor,
    "two-high": '{"__metadata__":{"k":"\\ud83d\\ud83d\\ude00"},%s}' % tensor,
    "nul-escape": '{"__metadata__":{"k":"a\\u0000b"},%s}' % tensor,
    "nul-byte": '{"__metadata__":{"k":"a\0b"},%s}' % tensor,
    "control": '{"__metadata__":{"k":"a\nb"},%s}' % tensor,
    "not-utf8": b'{"__metadata__":{"k":"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe4\xb8"},' + tensor.encode() + b"}",
    "cut-string": '{"__metadata__":{"k":"a',
    "cut-escape": '{"__metadata__":{"k":"a\\u00',
    "cut-array": '{"x":{"dtype":"F32","shape":[4,',
    "comma": "{%s,}" % tensor,
    "array": '{"x":["F32",[4],[0,16]]}',
    "overlap": '{"x":%s,"y":%s}' % (placed("[4]", 0, 16), placed("[2]", 8, 16)),
    "hole": '{"x":%s,"y":%s}' % (placed("[1]", 0, 4), placed("[2]", 8, 16)),
    "backwards": '{"x":%s}' % placed("[4]", 16, 0),
    "spaces": " {%s}" % tensor,
    "newline": "{%s}\n" % tensor,
}.items():
    text = header if isinstance(header, bytes) else header.encode()
    write("params", "header-" + name, b"ar" + struct.pack("<Q", len(text)) + text + bytes(16))

# ---- models and checkpoints: "a" or "b", then as above ----

words = ["<padding>", "<unknown>", "good", "bad", ",", "\u5f88"]


def lstm(prefix, width, hidden):
    shapes = {}
    for side in ("", "_reverse"):
        shapes[f"{prefix}.weight_ih_l0{side}"] = [4 * hidden, width]
        shapes[f"{prefix}.weight_hh_l0{side}"] = [4 * hidden, hidden]
        shapes[f"{prefix}.bias_ih_l0{side}"] = [4 * hidden]
        shapes[f"{prefix}.bias_hh_l0{side}"] = [4 * hidden]
    return shapes


def transformer(prefix, width, hidden):
    return {
        f"{prefix}.self_attn.in_proj_weight": [3 * width, width],
        f"{prefix}.self_attn.in_proj_bias": [3 * width],
        f"{prefix}.self_attn.out_proj.weight": [width, width],
        f"{prefix}.self_attn.out_proj.bias": [width],
        f"{prefix}.linear1.weight": [hidden, width],
        f"{prefix}.linear1.bias": [hidden],
        f"{prefix}.linear2.weight": [width, hidden],
        f"{prefix}.linear2.bias": [width],
        f"{prefix}.norm1.weight": [width],
        f"{prefix}.norm1.bias": [width],
        f"{prefix}.norm2.weight": [width],
        f"{prefix}.norm2.bias": [width],
    }


def additive(prefix, width):
    return {
        f"{prefix}.proj.weight": [width, width],
        f"{prefix}.proj.bias": [width],
        f"{prefix}.score.weight": [1, width],
    }


def model(name, layers, features, encoder, attention, **settings):
    settings = {"embedding": 2, "hidden": 2, "encoder": encoder, "attention": attention, "dropout": 0.5, "max_length": 9,
                "tokenizer": "words", "no_punctuation": False, "ngrams": 0, "buckets": 1, "max_pool": False, **settings}
    metadata = {"textclf.version": "2", "textclf.vocabulary": json.dumps(words, ensure_ascii=False),
                "textclf.labels": '["no","yes","?"]', "textclf.stopwords": "[]", "textclf.settings": json.dumps(settings)}
    shapes = {"embedding.weight": [len(words), 2], **layers, "classify.weight": [3, features], "classify.bias": [3]}
    write("model", name, b"aa" + tensors(shapes, metadata=metadata))


model("none", additive("attention", 2), 2, "none", "additive")
model("bilstm", {**lstm("encoder", 2, 2), "attention.query": [1, 4]}, 4, "bilstm", "euclidean")
model("no-attention", lstm("encoder", 2, 2), 4, "bilstm", "none", tokenizer="characters")
model(
    "transformer",
    {
        **transformer("encoder", 2, 4),
        "attention.query": [1, 2],
        "attention.in_proj_weight": [6, 2],
        "attention.in_proj_bias": [6],
        "attention.out_proj.weight": [2, 2],
        "attention.out_proj.bias": [2],
    },
    2,
    "transformer",
    "multihead",
)
model(
    "bag",
    {"attention.query": [1, 2], "bag.weight": [len(words) + 3, 16]},
    2 + 2 + 16,
    "none",
    "cosine",
    ngrams=2,
    buckets=3,
    no_punctuation=True,
    max_pool=True,
)

norms = {f"norms[{layer}]": 0.5 for layer in range(5)}
progress = {"epoch": 2, "batches_done": 1, "steps": 3, "best_epoch": 1, "best_accuracy": 0.5, "best_loss": 0.7, "loss": 1.5, "tokens": 5,
            "seconds": 0.1, **norms, "norm_samples": 1, "shuffle_rng": 9, "word_dropout_rng": 9, "dropout_rng": 9,
            "history": [{"train_loss": 0.7, "valid_loss": 0.7, "accuracy": 0.5, **norms}]}
small = {"embedding.weight": [4, 2], **additive("attention", 2), "classify.weight": [2, 2], "classify.bias": [2]}
kept = {f"optimizer/{what}/{key}": shape for what in ("exp_avg", "exp_avg_sq", "best") for key, shape in small.items()}
write("model", "checkpoint", b"ba" + tensors({**small, **kept}, metadata={
    "textclf.checkpoint": "2", "textclf.training": '{"seed":"1"}', "textclf.progress": json.dumps(progress)}))

# ---- data: format, header, delimiter, text, label, encoding, then the file ----

write("data", "tsv", "aaaaaagood\tyes\nbad, bad\tno\n\u5f88\tyes\n\r\n  \n\tno\nA\tB\tno\r\n")
write(
    "data",
    "csv",
    'aaaaaatext,label\n"good, ""very"" good\nindeed",yes\nbad,no\n "x" ,no\n,yes\n"",\n',
)
write(
    "data",
    "columns",
    "aaaaaaid;title;body;stars\n1;A;b c d;5\n2;E;f g h;1\n3;I;j k l;5\n4;M;n o p;1\n",
)
write("data", "asked", "cbaecaa,b,c\nd,e f,g\nh,i j,g\n")
write(
    "data",
    "fasttext",
    "aaaaaa__label__yes good\n__label__no __label__x bad\nso so __label__no\n__label__yes\n",
)
write("data", "label-text", "eaaaaayes good film\nno  bad\nno\n")
write("data", "text-label", "faaaaagood film yes\nbad no\nno\n")
write("data", "bom", b"aaaaaa\xef\xbb\xbfgood\tyes\nbad\tno")
write("data", "utf16", b"aaaaad" + "good\tyes\nb\u00e4d\tno\n".encode("utf-16"))
write("data", "gb18030", b"aaaaag" + "\u597d\tyes\n\u574f\tno\n".encode("gb18030"))
write(
    "data",
    "many",
    "aaaaaa"
    + "".join(f"text {i} {'x' * (i % 5)}\t{'no' if i % 3 else 'yes'}\n" for i in range(25)),
)
write("data", "none", "aaaaaa")

# ---- word vectors: the width, then the file ----

write("vectors", "glove", "cgood 0.5 -1e-3 2\na b 1 2 3\n\u5f88 .5 inf 3\n")
write("vectors", "header", "c3 3\ngood 0.5 1 2 \nthe 1 2 3\n- 0 0 -0\n")
write("vectors", "narrow", "agood 1\n\n3 2\n3 3 4\n")
write("vectors", "tabs", "bgood\t1\t2\r\ndon't 3\t4\r\n")
write(
    "vectors",
    "binary",
    b"b3 2\ngood "
    + struct.pack("<ff", 0.5, 1e30)
    + b"\n\xe5\xbe\x88 "
    + struct.pack("<ff", 1, -2)
    + b"3 "
    + struct.pack("<ff", 0, float("nan")),
)
write(
    "vectors",
    "wide",
    "h" + "good " + " ".join(["1"] * 8) + "\n" + "no " + " ".join(["1"] * 9) + "\n",
)

# ---- tokens: characters, no punctuation, stop words, minimum count, n-grams, then the text ----

write(
    "tokens",
    "english",
    "aaaabThe movie isn't BAD, it's ... well-made!!! don\u2019t\nthe 3.5 stars\n",
)
write(
    "tokens",
    "chinese",
    "aacaa\u5f88\u597d\u5403\uff0c\u4e0b\u6b21\u8fd8\u6765 iPhone\u624b\u673a\n"
    "\uff76\uff9e\u3042\u30a2\u30fc",
)
write(
    "tokens",
    "folding",
    "aabba\u00c9COLE e\u0301cole Stra\u00dfe \ufb01lm \uff28\uff45\uff01 co\u00adoperate "
    "\u2026 \u00bd \u0130",
)
write("tokens", "characters", "badaca\u0301b\U0001f44d\U0001f3fb \u200d\u0300x\n\u0301")
write("tokens", "plain", "abaae<b>so</b> \\n #1 a_b $5 c++ ''' \u0e01\u0e33 \ud55c\uad6d\uc5b4")
write("tokens", "wrong", b"aaaaaok \xc0\xaf \xed\xa0\x80 \xf4\x90\x80\x80 \xe4\xb8")

# ---- command lines: arguments, separated by newlines ----

for name, line in {
    "help": "--help", "train-help": "train --help", "check": "check data data --tokenizer characters --stopwords zh", "eval": "eval model data",
    "eval-json": "eval --json model data --format tsv --header no --text 1 --label 2", "predict": "predict model --top 1",
    "predict-texts": "predict --json --top 2 model good bad", "attend": "attend model good -o a.html", "explain": "explain model good -o b.html",
    "step": "step model good --label yes -o c.html", "tape": "tape model good -o d.dot",
    "train": "train data --epochs 3 --encoder lstm --attention dot --embedding 8 --hidden=8 --lr 1e-2 --dropout 0 --seed 7 --resume "
             "--checkpoint c --checkpoint-interval 0 --max-pool --ngrams 2 --buckets 9 --class-weight balanced --report r.html --vectors v --freeze-embedding",
    "compare": "compare data --seeds 2 --patience 0 --average 5 --warmup 3 --label-smoothing 0.1 --word-dropout .1 --weight-decay 0 --min-count 1 "
               "--max-vocab 9 --max-length 9 --batch-size 2 --valid data --test data --delimiter tab --encoding latin1 --no-punctuation",
    "wrong": "predict -x model --top 0 -- -o",
}.items():
    write("options", name, line.replace(" ", "\n"))
write("options", "font", "attend\nmodel\ngood, \u5f88 bad\n-o\na.png\n--font\nno.ttf")

# ---- graphs of operators, and twins: letters, each of which is a choice ----

write("graph", "sizes", "acbbcabdadbcaceadbfacbdeafbgcahdbaceadfbgchadbecaf")
write("graph", "layers", "adcbbdaiaaabbcaiabdcbiadcbaiaebdcbadicbadbciadcbdaibcda")
write("graph", "wrong", "hacbdhdhbdhchdhbdacdhdhdhcbdahdhdbchdadhbdhcahdhdbdhcd")
for i, kind in enumerate(["lstm", "tiled", "layers", "pooling", "cross-entropy", "linear"]):
    write("twins", kind, "abcdef"[i] + "bdcebafbcdaebcfdabcebdafcbedacbdfebacbdeafbcdaebcfdabce")
