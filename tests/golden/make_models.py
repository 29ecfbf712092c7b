#!/usr/bin/env python3
"""Writes golden files which prove that PyTorch opens a model of textclf and gives equal outputs,
and the reverse.

    build/textclf train builtin:documents --embedding 6 --hidden 5 --lr 0.03 --epochs 40 --dropout 0.2 --seed 1 \\
        -o tests/golden/trained_here.safetensors
    python3 tests/golden/make_models.py        (PyTorch 2.13.0, CPU; nothing else is needed)

Do not repeat the first command: later versions of textclf give other bits and write more metadata.
The script opens its file in PyTorch and writes PyTorch's outputs to
trained_here_outputs.safetensors. Then it makes two models in PyTorch as textclf reads them,
made_in_pytorch.safetensors and, without attention, made_in_pytorch_none.safetensors, with their
outputs. tests/layers/interop.c computes the outputs of all three and compares. check_in_pytorch.py
proves the same with new models.

Tensors are not renamed: the files hold the state_dict of `TextClassifier` below. Weights are F32;
outputs are F64, computed in float64 from the weights in the file. Names in the files of outputs,
for batches 1, 2, ..: `in.ids.1` [B, T], `in.lengths.1` [B], `out.logits.1` [B, C], and, with
attention, `out.weights.1` [B, T].
"""
import json
import sys

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

sys.dont_write_bytecode = True  # leaves no files among the sources
from make_golden import HERE, MADE_BY, load, randomize, save  # noqa: E402

MADE_BY = MADE_BY.replace("make_golden", "make_models")
PADDING = 0  # its id

# Lengths and T: unordered, with a length of 0, and with a T that is longer than all rows.
BATCHES = [([4, 1, 6], 6), ([3, 0, 5, 5, 2], 7), ([1], 1)]


class TextClassifier(nn.Module):
    """The network of textclf, made from PyTorch's modules."""

    def __init__(self, words, labels, settings):
        super().__init__()
        E, H = settings["embedding"], settings["hidden"]
        self.embedding = nn.Embedding(len(words), E, padding_idx=PADDING)
        self.encoder = nn.LSTM(E, H, batch_first=True, bidirectional=True)
        self.attention = None
        if settings["attention"] == "additive":
            self.attention = nn.ModuleDict({"proj": nn.Linear(2 * H, 2 * H),
                                            "score": nn.Linear(2 * H, 1, bias=False)})
        self.classify = nn.Linear(2 * H, len(labels))

    def forward(self, ids, lengths):
        """ids [B, T], lengths [B] -> logits [B, C], attention weights [B, T] or None."""
        T = ids.shape[1]
        rows = lengths > 0  # PyTorch does not accept a length of 0: the context is then 0
        packed = pack_padded_sequence(self.embedding(ids[rows]), lengths[rows], batch_first=True,
                                      enforce_sorted=False)
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
    """Opens a model file of textclf: the model, its words and its labels."""
    tensors, metadata = load(path)
    if metadata["textclf.version"] not in ("1", "2"):  # which differ in the name of a setting that is not used here
        raise ValueError("a format that this script does not know")
    words, labels, settings = (json.loads(metadata["textclf." + key]) for key in ("vocabulary", "labels", "settings"))
    model = TextClassifier(words, labels, settings)
    model.load_state_dict(tensors)  # strict: raises unless names and shapes are exactly the same
    return model.eval(), words, labels


def make_model(name, words, labels, settings):
    """Writes a model with random weights as textclf reads it."""
    model = TextClassifier(words, labels, settings)
    randomize(model, 0.7)
    with torch.no_grad():
        model.embedding.weight[PADDING] = 0  # as nn.Embedding initializes it
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
        # Ids in the padding must have no influence.
        ids = torch.randint(len(words), (len(lengths), T))
        lengths = torch.tensor(lengths)
        with torch.no_grad():
            logits, weights = model(ids, lengths)
        tensors |= {f"in.ids.{number}": ids, f"in.lengths.{number}": lengths,
                    f"out.logits.{number}": logits}
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
