"""textclf beside fastText on seeded splits of a labelled file, 80 % to train, 10 % to choose, 10 % to test.

    python3 accuracy.py TEXTCLF DATA.csv --text COLUMNS --label COLUMN [--header] [--splits 5] -- OPTIONS OF TEXTCLF TRAIN

COLUMNS are numbers from 1. fastText (its program must be installed: apt-get install fasttext) gets the same texts as lower-case
words, signs and single Han characters, with bigrams, and of a few epochs and rates what is best on the validation part, the first
of equals. textclf gets the texts as they are. Prints a line a split, and the means."""
import argparse
import csv
import itertools
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile

EPOCHS, RATES = (5, 10, 20, 40), (0.1, 0.25, 0.5, 1.0)


def read(path, texts, label, header):
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[header:]
    clean = [(re.sub(r"\s+", " ", " ".join(row[t - 1] for t in texts)), row[label - 1].strip()) for row in rows]
    return [row for row in clean if row[1]]


def write(folder, name, rows):
    with open(os.path.join(folder, name + ".tsv"), "w", encoding="utf-8") as file:
        file.writelines(f"{text}\t{label}\n" for text, label in rows)
    with open(os.path.join(folder, name + ".txt"), "w", encoding="utf-8") as file:
        for text, label in rows:
            words = re.findall(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]", text.lower())
            file.write(f"__label__{label} {' '.join(words)}\n")


def fasttext_once(folder, epochs, rate, part, seed):
    model = os.path.join(folder, "ft")
    subprocess.run(["fasttext", "supervised", "-input", folder + "/train.txt", "-output", model, "-wordNgrams", "2", "-bucket", "500000", "-epoch",
                    str(epochs), "-lr", str(rate), "-thread", "1", "-verbose", "0", "-seed", str(seed)], check=True,
                   stderr=subprocess.DEVNULL)
    said = subprocess.run(["fasttext", "test", model + ".bin", f"{folder}/{part}.txt"], check=True, capture_output=True, text=True)
    return float(re.search(r"P@1\s+([0-9.]+)", said.stdout).group(1))


def fasttext(folder, seed):
    best = max(itertools.product(EPOCHS, RATES), key=lambda pair: fasttext_once(folder, *pair, "valid", seed))
    return fasttext_once(folder, *best, "test", seed), best


def textclf(program, folder, options, seed):
    said = subprocess.run([program, "train", folder + "/train.tsv", "--valid", folder + "/valid.tsv", "--test", folder + "/test.tsv",
                           "--format", "tsv", "--header", "no", "--seed", str(seed), "-o", folder + "/model.safetensors", *options],
                          check=True, capture_output=True, text=True)
    several = re.findall(r"^seed .* validation ([0-9.]+), test ([0-9.]+)  \*$", said.stdout, re.M)
    if several:  # --seeds: the last that was better than those before it is the model that is saved
        return float(several[-1][1]), float(several[-1][0])
    valid = re.findall(r"^ *\d+ .* ([0-9.]+) +[0-9.]+ +\d+  \*$", said.stdout, re.M)[-1]
    return float(re.search(r"^test:.*accuracy ([0-9.]+)", said.stdout, re.M).group(1)), float(valid)


def main():
    own, options = sys.argv[1:], []
    if "--" in own:
        own, options = own[:own.index("--")], own[own.index("--") + 1:]
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("data")
    parser.add_argument("--text", required=True)
    parser.add_argument("--label", type=int, required=True)
    parser.add_argument("--header", action="store_true")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--no-fasttext", action="store_true")
    arguments = parser.parse_args(own)
    rows = read(arguments.data, [int(t) for t in arguments.text.split(",")], arguments.label, arguments.header)
    ours, valids, theirs = [], [], []
    for seed in range(1, arguments.splits + 1):
        rows.sort()
        random.Random(seed).shuffle(rows)
        tenth = len(rows) // 10
        with tempfile.TemporaryDirectory() as folder:
            write(folder, "train", rows[2 * tenth:])
            write(folder, "valid", rows[:tenth])
            write(folder, "test", rows[tenth:2 * tenth])
            accuracy, valid = textclf(arguments.program, folder, options, seed)
            ours.append(accuracy)
            valids.append(valid)
            line = f"split {seed}: textclf {100 * accuracy:.2f} (validation {100 * valid:.2f})"
            if not arguments.no_fasttext:
                accuracy, (epochs, rate) = fasttext(folder, seed)
                theirs.append(accuracy)
                line += f", fastText {100 * accuracy:.2f} ({epochs} epochs at {rate})"
        print(line, flush=True)
    print(f"mean: textclf {100 * statistics.mean(ours):.2f} (validation {100 * statistics.mean(valids):.2f})", end="")
    if theirs:
        print(f", fastText {100 * statistics.mean(theirs):.2f}, difference "
              f"{100 * statistics.mean(a - b for a, b in zip(ours, theirs)):+.2f}", end="")
    print()


if __name__ == "__main__":
    main()
