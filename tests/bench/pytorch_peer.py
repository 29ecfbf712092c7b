#!/usr/bin/env python3
"""The workloads of build/bench (see bench.c) in PyTorch, written as a good user of PyTorch
would: fused nn.LSTM, nn.TransformerEncoderLayer, scaled_dot_product_attention, fused Adam,
clip_grad_norm_, inference_mode.

    python3 pytorch_peer.py [-s SECONDS] [-t THREADS] [-l LONGEST] [-n STEPS]
                            [--way eager|compile|better] [WORKLOAD]...

It prints the tab-separated lines of bench: workload, threads, median ms, spread (interquartile
range in percent of the median), GFLOP/s by the formulas of bench, "-", and a note. Models are
measured in eager mode and with torch.compile; the better median counts, and the note says which
one it is. A compilation that fails or takes longer than two minutes does not count; the note
says so."""
import argparse
import os
import signal
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

COMPILE_SECONDS = 120
BATCHES = 64  # made before the measurement and used in turn


class TookTooLong(Exception):
    pass


def percentile(ordered, q):
    at = q * (len(ordered) - 1)
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def statistics(samples):
    """Milliseconds and the spread of seconds."""
    ordered = sorted(samples)
    median = percentile(ordered, 0.5)
    return median * 1e3, 100 * (percentile(ordered, 0.75) - percentile(ordered, 0.25)) / median


def measure(step, seconds):
    """As timing_measure in timing.c: warms up, then takes samples of at least 0.1 ms."""
    warm_up = last = time.perf_counter()
    warm = 0
    while warm < 1 or last - warm_up < seconds / 5 or (warm < 2 and last - warm_up < seconds):
        start = last
        step()
        last = time.perf_counter()
        warm += 1
    steps = 1 + int(1e-4 / (last - start))
    samples = []
    start = last = time.perf_counter()
    while len(samples) < 3 or last - start < seconds:
        for _ in range(steps):
            step()
        end = time.perf_counter()
        samples.append((end - last) / steps)
        last = end
    return statistics(samples)


def show(options, name, ms, spread, flops, note):
    rate = f"{flops / ms * 1e-6:.4f}" if flops else "-"
    print(f"{name}\t{options.threads}\t{ms:.6g}\t{spread:.2f}\t{rate}\t-\t{note}", flush=True)


def compiled_timing(build, seconds):
    """The timing of the compiled step and "", or None and the reason."""
    def too_long(*_):
        raise TookTooLong(f"took longer than {COMPILE_SECONDS} s")

    old_handler = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(COMPILE_SECONDS)
    try:
        step = build(torch.compile)
        for _ in range(3):
            step()
        signal.alarm(0)
        return measure(step, seconds), ""
    except Exception as error:  # of any kind: the eager figure counts
        return None, (str(error).strip().splitlines() or [type(error).__name__])[0][:80]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old_handler)


def row(options, name, flops, build):
    """build(wrap) returns the step of a new model; `wrap` is torch.compile or does nothing."""
    eager = compiled = None
    why = ""
    if options.way != "compile":
        torch.manual_seed(1)
        eager = measure(build(lambda module: module), options.seconds)
    if options.way != "eager":
        torch.manual_seed(1)
        compiled, why = compiled_timing(build, options.seconds)
    if compiled and (not eager or compiled[0] < eager[0]):
        note = "torch.compile" + (f" (eager {eager[0]:.4g} ms)" if eager else "")
        show(options, name, *compiled, flops, note)
    elif eager:
        note = "eager"
        if compiled:
            note += f" (torch.compile {compiled[0]:.4g} ms)"
        elif why:
            note += f" (torch.compile: {why})"
        show(options, name, *eager, flops, note)
    else:
        print(f"pytorch_peer.py: {name}: torch.compile: {why}", file=sys.stderr)


class Classifier(nn.Module):
    """Embedding, LSTM, additive attention, Linear."""

    def __init__(self, words, embedding, hidden, classes, both_directions):
        super().__init__()
        width = hidden * (2 if both_directions else 1)
        self.embedding = nn.Embedding(words, embedding, padding_idx=0)
        self.encoder = nn.LSTM(embedding, hidden, batch_first=True, bidirectional=both_directions)
        self.proj = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.classify = nn.Linear(width, classes)

    def forward(self, ids):
        h, _ = self.encoder(self.embedding(ids))
        weights = torch.softmax(self.score(torch.tanh(self.proj(h))).squeeze(-1), dim=-1)
        context = torch.bmm(weights.unsqueeze(1), h).squeeze(1)
        return self.classify(context)


def trainer(model, optimizer, loss_of, batches):
    """A step over the batches in turn: forward, backward, clip, Adam."""
    parameters = list(model.parameters())
    turn = 0

    def step():
        nonlocal turn
        optimizer.zero_grad(set_to_none=True)
        loss_of(*batches[turn % len(batches)]).backward()
        nn.utils.clip_grad_norm_(parameters, 5)
        optimizer.step()
        turn += 1

    return step


def classifier(options, name, words, embedding, hidden, classes, batch, length, both_directions):
    d = 2 if both_directions else 1
    flops = 6 * batch * length * (d * 4 * hidden * (embedding + hidden) + (d * hidden) ** 2)

    def build(wrap):
        generator = torch.Generator().manual_seed(1)
        batches = [(torch.randint(1, words, (batch, length), generator=generator),
                    torch.randint(0, classes, (batch,), generator=generator))
                   for _ in range(BATCHES)]
        model = Classifier(words, embedding, hidden, classes, both_directions)
        forward = wrap(model)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        return trainer(model, optimizer,
                       lambda ids, labels: F.cross_entropy(forward(ids), labels), batches)

    row(options, name, flops, build)


def run_documents(options):
    classifier(options, "documents", 20, 50, 50, 2, 4, 10, False)


def run_sst2(options):
    classifier(options, "sst2", 15000, 128, 128, 2, 32, 32, True)


def run_large(options):
    classifier(options, "large", 15000, 512, 512, 4, 64, 64, False)


def encoder(options, name, width, feed, batch, length):
    flops = 6 * batch * length * (4 * width * width + 2 * width * feed + 2 * length * width)

    def build(wrap):
        model = nn.TransformerEncoderLayer(width, 4, feed, dropout=0, batch_first=True)
        forward = wrap(model)
        x = torch.randn(batch, length, width, requires_grad=True)
        target = torch.randn(batch, length, width)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

        def loss_of(x, target):
            x.grad = None
            return F.mse_loss(forward(x), target)

        return trainer(model, optimizer, loss_of, [(x, target)])

    row(options, name, flops, build)


def run_encoder(options):
    encoder(options, "encoder-256", 256, 1024, 16, 128)
    encoder(options, "encoder-64", 64, 256, 32, 32)


def run_infer(options):
    words, width, length = 15000, 128, 20
    flops = 2 * length * (2 * 4 * width * (width + width) + (2 * width) ** 2)

    def build(wrap):
        model = Classifier(words, width, width, 2, True).eval()
        forward = wrap(model)
        sentences = [torch.randint(1, words, (1, length)) for _ in range(BATCHES)]
        turn = 0

        def step():
            nonlocal turn
            with torch.inference_mode():
                torch.softmax(forward(sentences[turn % BATCHES]), dim=-1)
            turn += 1

        return step

    row(options, "infer", flops, build)


def run_attention(options):
    heads, width = 4, 64
    length = 512
    while length <= options.longest:
        q, k, v = (torch.randn(1, heads, length, width, requires_grad=True) for _ in range(3))
        ones = torch.ones(1, heads, length, width)

        def step():
            torch.autograd.grad(F.scaled_dot_product_attention(q, k, v), (q, k, v), ones)

        show(options, f"attention-{length}", *measure(step, options.seconds),
             12 * length * length * heads * width, "scaled_dot_product_attention")
        length *= 2


def zipf_batches(rows, ids, steps):
    """[steps, ids] row numbers by Zipf's law: the frequency of row i is proportional to 1 / (i +
    1)."""
    below = torch.cumsum(1 / torch.arange(1, rows + 1, dtype=torch.float64), 0)
    drawn = torch.rand(steps, ids, dtype=torch.float64) * below[-1]
    return torch.searchsorted(below, drawn).clamp_(max=rows - 1)


def adam(options, name, sparse, note):
    """Measures all steps; the spread is that of tenths of them, as in bench."""
    torch.manual_seed(1)
    steps = options.steps
    batches = zipf_batches(200000, 920, steps)
    table = nn.Embedding(200000, 128, sparse=sparse)
    if sparse:
        optimizer = torch.optim.SparseAdam(table.parameters(), lr=1e-3)
    else:
        optimizer = torch.optim.Adam(table.parameters(), lr=1e-3, fused=True)
    parts, done, start = [], 0, time.perf_counter()
    for part in range(10):
        part_start, first = time.perf_counter(), done
        while done < (part + 1) * steps // 10:
            optimizer.zero_grad(set_to_none=True)
            table(batches[done]).square().mean().backward()
            optimizer.step()
            done += 1
        if done > first:
            parts.append((time.perf_counter() - part_start) / (done - first))
    total = time.perf_counter() - start
    show(options, name, total / steps * 1e3, statistics(parts)[1], 0, note)


def run_adam(options):
    adam(options, "adam", False, "dense table, fused Adam")
    adam(options, "adam-sparse", True, "SparseAdam")


def run_job(options):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch_job.py")
    environment = dict(os.environ, OMP_NUM_THREADS=str(options.threads))

    def step():
        subprocess.run([sys.executable, script], stdout=subprocess.DEVNULL, check=True,
                       env=environment)

    show(options, "job", *measure(step, options.seconds), 0, "one process")


WORKLOADS = {"documents": run_documents, "sst2": run_sst2, "large": run_large,
             "encoder": run_encoder, "infer": run_infer, "attention": run_attention,
             "adam": run_adam, "job": run_job}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", dest="seconds", type=float, default=2)
    parser.add_argument("-t", dest="threads", type=int, default=1)
    parser.add_argument("-l", dest="longest", type=int, default=16384)
    parser.add_argument("-n", dest="steps", type=int, default=1000)
    parser.add_argument("--way", choices=["eager", "compile", "better"], default="better")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=" ".join(WORKLOADS))
    options = parser.parse_args()
    for name in options.workloads:
        if name not in WORKLOADS:
            parser.error(f"{name}: unknown workload; choose from {' '.join(WORKLOADS)}")
    torch.set_num_threads(options.threads)
    for name in options.workloads or WORKLOADS:
        WORKLOADS[name](options)


if __name__ == "__main__":
    main()
