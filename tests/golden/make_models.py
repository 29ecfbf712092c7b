#!/usr/bin/env python3
"""Writes the golden files that prove: a model trained here opens in PyTorch with equal outputs, and the reverse.

    build/textclf train builtin:documents --embedding 6 --hidden 5 --lr 0.03 --epochs 40 --dropout 0.2 --seed 1 \\
        -o tests/golden/trained_here.safetensors
    python3 tests/golden/make_models.py        (PyTorch 2.13.0, CPU; nothing else is needed)

The file that the first command wrote is kept: later versions of textclf give other bits, and say more in its metadata.
The script opens it in PyTorch and writes what PyTorch computes with it to trained_here_outputs.safetensors. Then it makes
models of its own in PyTorch, made_in_pytorch.safetensors and made_in_pytorch_none.safetensors (--attention none), as
textclf reads them, again each with its outputs. tests/layers/interop.c runs all of them here and compares;
check_in_pytorch.py proves the same with models that are made on the spot.

No tensor is renamed on the way: the files hold the state_dict of `TextClassifier` below. Weights are F32; outputs are
F64, computed in float64 from the weights that stand in the file. Names in the files of outputs, for batches 1, 2, ..:
`in.ids.1` [B, T], `in.lengths.1` [B], `out.logits.1` [B, C], `out.weights.1` [B, T] (attention only).
"""
import json
import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

sys.dont_write_bytecode = True  # nothing is left beside the sources
from make_golden import HERE, MADE_BY, load, randomize, save  # noqa: E402

MADE_BY = MADE_BY.replace("make_golden", "make_models")
PADDING = 0  # the id

# Lengths and T: in no order, with zero among them, and a time axis longer than any row.
BATCHES = [([4, 1, 6], 6), ([3, 0, 5, 5, 2], 7), ([1], 1)]


class TextClassifier(nn.Module):
    """textclf's network, of PyTorch's own modules."""

    def __init__(self, words, labels, settings):
        super().__init__()
        E, H = settings["embedding"], settings["hidden"]
        self.embedding = nn.Embedding(len(words), E, padding_idx=PADDING)
        self.encoder = nn.LSTM(E, H, batch_first=True, bidirectional=True)
        self.attention = None
        if settings["attention"] == "additive":
            self.attention = nn.ModuleDict({"proj": nn.Linear(2 * H, 2 * H), "score": nn.Linear(2 * H, 1, bias=False)})
        self.classify = nn.Linear(2 * H, len(labels))

    def forward(self, ids, lengths):
        """ids [B, T], lengths [B] -> logits [B, C], attention weights [B, T] or None."""
        T = ids.shape[1]
        rows = lengths > 0  # PyTorch refuses a length of zero: what is classified then is zeros.
        packed = pack_padded_sequence(self.embedding(ids[rows]), lengths[rows], batch_first=True, enforce_sorted=False)
        packed, (h_n, _) = self.encoder(packed)
        context = torch.zeros(len(ids), self.classify.in_features)
        if self.attention is None:
            context[rows] = torch.cat((h_n[0], h_n[1]), dim=1)
            return self.classify(context), None
        x, _ = pad_packed_sequence(packed, batch_first=True, total_length=T)
        scores = self.attention["score"](torch.tanh(self.attention["proj"](x))).squeeze(2)
        beyond = torch.arange(T) >= lengths[rows].unsqueeze(1)
        weights = torch.zeros(ids.shape)
        weights[rows] = torch.softmax(scores.masked_fill(beyond, -torch.inf), dim=1)
        context[rows] = torch.einsum("bt,bth->bh", weights[rows], x)
        return self.classify(context), weights


def open_model(path):
    """The model of a file of textclf, and its words and labels."""
    tensors, metadata = load(path)
    if metadata["textclf.version"] not in ("1", "2"):  # which differ in the name of a setting that is not used here
        raise ValueError("a format that this script does not know")
    words, labels, settings = (json.loads(metadata["textclf." + key]) for key in ("vocabulary", "labels", "settings"))
    model = TextClassifier(words, labels, settings)
    model.load_state_dict(tensors)  # strict: the same names and shapes, none missing and none too many
    return model.eval(), words, labels


def make_model(name, words, labels, settings):
    """A model with random weights, written as textclf reads it."""
    model = TextClassifier(words, labels, settings)
    randomize(model, 0.7)
    with torch.no_grad():
        model.embedding.weight[PADDING] = 0  # as nn.Embedding starts and keeps it
    save(name, model.state_dict(), "F32", {
        "made_by": MADE_BY,
        "textclf.version": "2",
        "textclf.vocabulary": json.dumps(words),
        "textclf.labels": json.dumps(labels),
        "textclf.settings": json.dumps(settings)})


def write_outputs(name):
    model, words, _ = open_model(HERE / (name + ".safetensors"))
    tensors = {}
    for number, (lengths, T) in enumerate(BATCHES, start=1):
        ids = torch.randint(len(words), (len(lengths), T))  # also beyond the lengths, where they must influence nothing
        lengths = torch.tensor(lengths)
        with torch.no_grad():
            logits, weights = model(ids, lengths)
        tensors |= {f"in.ids.{number}": ids, f"in.lengths.{number}": lengths, f"out.logits.{number}": logits}
        if weights is not None:
            tensors[f"out.weights.{number}"] = weights
    save(name + "_outputs", tensors, metadata={"made_by": MADE_BY})


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(11)
    write_outputs("trained_here")

    torch.manual_seed(12)
    words = ["<padding>", "<unknown>", "the", "film", "is", "great", "dull", "don't", "!", "很", "好", "été"]
    settings = {"embedding": 5, "hidden": 4, "encoder": "bilstm", "attention": "additive", "dropout": 0.5, "max_length": 50,
                "tokenizer": "words"}
    make_model("made_in_pytorch", words, ["bad", "good", "mixed"], settings)
    write_outputs("made_in_pytorch")

    torch.manual_seed(13)
    settings |= {"embedding": 4, "hidden": 3, "attention": "none"}
    make_model("made_in_pytorch_none", words, ["bad", "good"], settings)
    write_outputs("made_in_pytorch_none")


if __name__ == "__main__":
    main()
