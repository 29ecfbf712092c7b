#!/usr/bin/env python3
"""Proves with new models that PyTorch opens a model of textclf and gives equal outputs, and the
reverse.

    python3 tests/golden/check_in_pytorch.py [TEXTCLF]        (build/textclf)

textclf trains two models, with attention and without; PyTorch makes two more. textclf and PyTorch
classify the same texts with each; their probabilities may differ by 6e-5. Exit status: 0 if they
are equal, 1 if not, 77 if the test is skipped because there is no PyTorch.
"""
import pathlib
import random
import re
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    print("skipped: check_in_pytorch.py needs PyTorch (pip install torch)")
    sys.exit(77)

sys.dont_write_bytecode = True
from make_golden import HERE  # noqa: E402
from make_models import make_model, open_model  # noqa: E402

TOLERANCE = 6e-5  # textclf prints four decimals (5e-5), and computes in float32
UNKNOWN = 1  # its id


def run(*arguments, text=None):
    done = subprocess.run([str(argument) for argument in arguments], input=text,
                          capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        command = " ".join(map(str, arguments))
        sys.exit(f"failed: {command}: exit status {done.returncode}: {done.stderr}")
    return done.stdout


def make_texts(words):
    """Texts of words that the tokenizer of textclf does not change, separated by blanks; an
    empty text; words outside the vocabulary."""
    draw = random.Random(1)
    plain = [word for word in words if re.fullmatch("[a-z]+|[一-龥]", word)] + ["zzyzx", "qwertz"]
    return ["", "zzyzx"] + [" ".join(draw.choices(plain, k=draw.randint(1, 30)))
                            for _ in range(200)]


def probabilities_in_pytorch(model, words, texts):
    """[texts, C], computed in batches of seven texts of different lengths."""
    id_of = {word: i for i, word in enumerate(words)}
    rows = [[id_of.get(word, UNKNOWN) for word in text.split()] for text in texts]
    parts = []
    for start in range(0, len(rows), 7):
        batch = rows[start:start + 7]
        ids = torch.zeros(len(batch), max(map(len, batch)), dtype=torch.long)
        for i, row in enumerate(batch):
            ids[i, :len(row)] = torch.tensor(row, dtype=torch.long)
        with torch.no_grad():
            logits, _ = model(ids, torch.tensor([len(row) for row in batch]))
        parts.append(torch.softmax(logits, dim=1))
    return torch.cat(parts)


def probabilities_in_textclf(textclf, path, labels, texts):
    """[texts, C], read from lines "LABEL tab PROBABILITY tab LABEL PROBABILITY, LABEL
    PROBABILITY, .. tab TEXT"."""
    lines = run(textclf, "predict", path, text="".join(text + "\n" for text in texts)).splitlines()
    if len(lines) != len(texts):
        sys.exit(f"failed: {len(lines)} answers for {len(texts)} texts")
    rows = []
    for line, text in zip(lines, texts):
        _, _, answers, answered = line.split("\t")
        answers = [answer.rsplit(" ", 1) for answer in answers.split(", ")]
        if answered != text or [label for label, _ in answers] != labels:
            sys.exit(f"failed: the answer for {text!r} with the labels {labels} is: {line}")
        rows.append([float(probability) for _, probability in answers])
    return torch.tensor(rows)


def compare(textclf, path, what):
    """Whether textclf and PyTorch agree."""
    model, words, labels = open_model(path)
    texts = make_texts(words)
    here = probabilities_in_textclf(textclf, path, labels, texts)
    there = probabilities_in_pytorch(model, words, texts)
    difference = (here - there).abs().max().item()
    spread = (there.max(0).values - there.min(0).values).max().item()
    equal = difference <= TOLERANCE and spread > 0.1  # the same answer to all texts proves nothing
    print(f"{'equal' if equal else 'FAILED'}: {what}: {len(texts)} texts, probabilities spread "
          f"over {spread:.3f}, largest difference {difference:.1e}")
    return equal


def main():
    default = HERE.parent.parent / "build" / "textclf"
    textclf = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default).resolve()
    if not textclf.is_file():
        sys.exit(f"failed: there is no {textclf}; build it, or give its path as the argument")
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for attention in ("additive", "none"):
            path = pathlib.Path(folder, f"trained_{attention}.safetensors")
            run(textclf, "train", "builtin:english", "--attention", attention, "--embedding", 16, "--hidden", 12,
                "--epochs", 8, "--lr", 0.01, "-o", path)
            results.append(compare(textclf, path, f"trained by textclf, attention {attention}, opened in PyTorch"))

            torch.manual_seed(21)
            path = pathlib.Path(folder, f"made_{attention}.safetensors")
            words = ["<padding>", "<unknown>", "the", "film", "was", "never", "dull", "don't", "很", "好", "看"]
            settings = {"embedding": 9, "hidden": 7, "encoder": "bilstm", "attention": attention, "dropout": 0.5, "max_length": 50,
                        "tokenizer": "words"}
            make_model(str(path.with_suffix("")), words, ["bad", "good", "mixed"], settings)
            results.append(compare(
                textclf, path, f"made in PyTorch, attention {attention}, opened by textclf"))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
