"""Compares textclf with fastText on seeded splits of a labelled file: 80 % training, 10 %
validation, 10 % test.

    python3 accuracy.py TEXTCLF DATA.csv --text COLUMNS --label COLUMN [--header] [--splits 5]
                        [--no-fasttext] -- OPTIONS OF TEXTCLF TRAIN

COLUMNS are numbers from 1, separated by commas. fastText (apt-get install fasttext) gets the
same texts, split into lower-case words, signs and single Han characters, and uses bigrams. Its
epochs and learning rate are those that are best on the validation part; the first of equals
wins. textclf gets the texts unchanged. Prints one line per split, then the means."""
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
    clean = []
    for row in rows:
        text = re.sub(r"\s+", " ", " ".join(row[t - 1] for t in texts))
        clean.append((text, row[label - 1].strip()))
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
    subprocess.run(["fasttext", "supervised", "-input", folder + "/train.txt", "-output", model,
                    "-wordNgrams", "2", "-bucket", "500000", "-epoch", str(epochs),
                    "-lr", str(rate), "-thread", "1", "-verbose", "0", "-seed", str(seed)],
                   check=True, stderr=subprocess.DEVNULL)
    done = subprocess.run(["fasttext", "test", model + ".bin", f"{folder}/{part}.txt"],
                          check=True, capture_output=True, text=True)
    return float(re.search(r"P@1\s+([0-9.]+)", done.stdout).group(1))


def fasttext(folder, seed):
    best = max(itertools.product(EPOCHS, RATES),
               key=lambda pair: fasttext_once(folder, *pair, "valid", seed))
    return fasttext_once(folder, *best, "test", seed), best


def textclf(program, folder, options, seed):
    done = subprocess.run([program, "train", folder + "/train.tsv",
                           "--valid", folder + "/valid.tsv", "--test", folder + "/test.tsv",
                           "--format", "tsv", "--header", "no", "--seed", str(seed),
                           "-o", folder + "/model.safetensors", *options],
                          check=True, capture_output=True, text=True)
    several = re.findall(r"^seed .* validation ([0-9.]+), test ([0-9.]+)  \*$", done.stdout, re.M)
    if several:  # --seeds: textclf saves the last one that was better than all before it
        return float(several[-1][1]), float(several[-1][0])
    valid = re.findall(r"^ *\d+ .* ([0-9.]+) +[0-9.]+ +\d+  \*$", done.stdout, re.M)[-1]
    test = re.search(r"^test:.*accuracy ([0-9.]+)", done.stdout, re.M).group(1)
    return float(test), float(valid)


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
    rows = read(arguments.data, [int(t) for t in arguments.text.split(",")], arguments.label,
                arguments.header)
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
    line = (f"mean: textclf {100 * statistics.mean(ours):.2f} "
            f"(validation {100 * statistics.mean(valids):.2f})")
    if theirs:
        line += (f", fastText {100 * statistics.mean(theirs):.2f}, difference "
                 f"{100 * statistics.mean(a - b for a, b in zip(ours, theirs)):+.2f}")
    print(line)


if __name__ == "__main__":
    main()
