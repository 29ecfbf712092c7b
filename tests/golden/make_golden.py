#!/usr/bin/env python3
"""Writes golden files into this folder: results of PyTorch, with which the unit tests compare.

    python3 tests/golden/make_golden.py        (PyTorch 2.13.0, CPU; it needs nothing else)

Everything is float64 and drawn from fixed seeds, one per file: a file changes only if its own
function changes. (Another processor or version of PyTorch may change the last bits.) Names in the
files: `param.` parameters under PyTorch's names, `in.` other inputs, `out.` results, `grad.x` the
derivative of the loss with respect to x. A scalar is a tensor of shape [1]. The padding of an input
holds large numbers, which must not influence any result.
"""
import json
import math
import pathlib
import struct

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

HERE = pathlib.Path(__file__).resolve().parent
MADE_BY = "tests/golden/make_golden.py, PyTorch " + torch.__version__.split("+")[0]
GARBAGE = 1e3  # scale of the numbers at padded positions


# Number formats: PyTorch's type, the letter of struct, the size in bytes.
FORMATS = {"F64": (torch.float64, "d", 8), "F32": (torch.float32, "f", 4)}


def save(name, tensors, number_format="F64", metadata=None):
    """Writes a safetensors file: header length (8 bytes, little-endian), JSON header, data."""
    dtype, code, _ = FORMATS[number_format]
    header, blobs, offset = {"__metadata__": metadata or {"made_by": MADE_BY}}, [], 0
    for key, tensor in tensors.items():
        tensor = tensor.detach().to(dtype)
        shape = list(tensor.shape) or [1]
        blob = struct.pack(f"<{tensor.numel()}{code}", *tensor.flatten().tolist())
        header[key] = {"dtype": number_format, "shape": shape,
                       "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the data begin at a multiple of 8
    path = HERE / (name + ".safetensors")
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


def unique(pairs):
    """A JSON object; duplicate names are an error."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("the header has a name twice")
    return dict(pairs)


def load(path):
    """Reads a safetensors file: the tensors in the order of their data, and the metadata. A file
    that the format forbids, with a hole between two tensors for example, raises an exception."""
    data = pathlib.Path(path).read_bytes()
    start = 8 + struct.unpack_from("<Q", data)[0]
    if start > len(data):
        raise ValueError("the header is longer than the file")
    header = json.loads(data[8:start].decode(), object_pairs_hook=unique)
    metadata = header.pop("__metadata__", {})
    if not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("the metadata are not strings")
    tensors, end = {}, start
    for key, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, code, width = FORMATS[entry["dtype"]]
        count = math.prod(entry["shape"])
        if [start + offset for offset in entry["data_offsets"]] != [end, end + count * width]:
            raise ValueError(f"{key}: its data do not follow the previous tensor, "
                             "or do not fit its shape")
        numbers = struct.unpack_from(f"<{count}{code}", data, end)  # raises if the file ends early
        tensors[key] = torch.tensor(numbers, dtype=dtype).reshape(entry["shape"])
        end += count * width
    if end != len(data):
        raise ValueError("the file has data that belong to no tensor")
    return tensors, metadata


def normal(*shape):
    return torch.randn(*shape)


def leaf(tensor):
    """A tensor that requires a gradient."""
    return tensor.clone().requires_grad_()


def padded_input(B, T, H, lengths):
    """Normal numbers within each row's length, garbage in the padding."""
    x = normal(B, T, H)
    for b, length in enumerate(lengths):
        x[b, length:] = GARBAGE * normal(T - length, H)
    return leaf(x)


def parameters_and_gradients(module):
    tensors = {"param." + name: p for name, p in module.named_parameters()}
    tensors.update({"grad." + name: p.grad for name, p in module.named_parameters()})
    return tensors


def randomize(module, scale):
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(scale * normal(*p.shape))


# ---- layers ----

def write_lstm(name, seed, lengths, T, layers, bidirectional, zero_initial_states):
    """nn.LSTM over rows of different lengths. A row of length 0 has the output 0; its final
    states are its initial states."""
    torch.manual_seed(seed)
    E, H, B = 3, 4, len(lengths)
    directions = 2 if bidirectional else 1
    lstm = nn.LSTM(E, H, num_layers=layers, bidirectional=bidirectional, batch_first=True)
    randomize(lstm, 0.5)
    x = padded_input(B, T, E, lengths)
    state_scale = 0.0 if zero_initial_states else 0.7
    h0 = leaf(state_scale * normal(layers * directions, B, H))
    c0 = leaf(state_scale * normal(layers * directions, B, H))
    r_output = normal(B, T, directions * H)
    r_h, r_c = normal(*h0.shape), normal(*c0.shape)

    # PyTorch does not accept a length of 0: it computes the other rows only.
    rows = [b for b in range(B) if lengths[b] > 0]
    packed = pack_padded_sequence(x[rows], [lengths[b] for b in rows], batch_first=True,
                                  enforce_sorted=False)
    packed, (h_rows, c_rows) = lstm(packed, (h0[:, rows], c0[:, rows]))
    output = torch.zeros(B, T, directions * H)
    output[rows] = pad_packed_sequence(packed, batch_first=True, total_length=T)[0]
    h_n, c_n = h0.clone(), c0.clone()
    h_n[:, rows], c_n[:, rows] = h_rows, c_rows

    loss = (output * r_output).sum() + (h_n * r_h).sum() + (c_n * r_c).sum()
    loss.backward()
    save(name, parameters_and_gradients(lstm) | {
        "in.x": x, "in.h0": h0, "in.c0": c0, "in.lengths": torch.tensor(lengths),
        "in.r_output": r_output, "in.r_h": r_h, "in.r_c": r_c,
        "out.output": output, "out.h_n": h_n, "out.c_n": c_n, "out.loss": loss,
        "grad.x": x.grad, "grad.h0": h0.grad, "grad.c0": c0.grad})


def write_additive_attention():
    """Pooling over time: u = tanh(x W^T + b), score = u . v, weights = softmax(score),
    context = sum_t weight_t x_t."""
    torch.manual_seed(3)
    B, T, H, A = 4, 5, 6, 3
    lengths = [5, 1, 0, 3]
    module = nn.ModuleDict({"proj": nn.Linear(H, A), "score": nn.Linear(A, 1, bias=False)})
    randomize(module, 0.8)
    x = padded_input(B, T, H, lengths)
    r_context = normal(B, H)

    # Row by row, each without its padding: all results are 0 in the padding.
    context, weights, scores = torch.zeros(B, H), torch.zeros(B, T), torch.zeros(B, T)
    loss, by_row = torch.zeros(()), {}
    for b, length in enumerate(lengths):
        if length == 0:
            continue
        row = x[b, :length]
        row_scores = module["score"](torch.tanh(module["proj"](row))).squeeze(1)
        row_weights = torch.softmax(row_scores, dim=0)
        row_context = row_weights @ row
        row_scores.retain_grad()
        row_weights.retain_grad()
        loss = loss + (row_context * r_context[b]).sum()
        context[b] = row_context.data
        weights[b, :length] = row_weights.data
        scores[b, :length] = row_scores.data
        by_row[b] = (row_weights, row_scores)

    loss.backward()
    grad_weights, grad_scores = torch.zeros(B, T), torch.zeros(B, T)
    for b, (row_weights, row_scores) in by_row.items():
        grad_weights[b, :lengths[b]] = row_weights.grad
        grad_scores[b, :lengths[b]] = row_scores.grad
    save("additive_attention", parameters_and_gradients(module) | {
        "in.x": x, "in.lengths": torch.tensor(lengths), "in.r_context": r_context,
        "out.context": context, "out.weights": weights, "out.scores": scores, "out.loss": loss,
        "grad.x": x.grad, "grad.weights": grad_weights, "grad.scores": grad_scores})


def write_layer_norm():
    """nn.LayerNorm over the last axis, and the exact GELU, x (1 + erf(x / sqrt 2)) / 2."""
    torch.manual_seed(5)
    norm = nn.LayerNorm(5, eps=1e-5)
    randomize(norm, 1.0)
    x, r = leaf(2 * normal(2, 3, 5) + 1), normal(2, 3, 5)
    y = norm(x)
    loss = (y * r).sum()
    loss.backward()
    gelu_x = leaf(torch.tensor([-12, -6, -3, -1.5, -0.75, -0.1, -1e-6, 0,
                                1e-6, 0.1, 0.75, 1.5, 3, 6, 12]))
    gelu_y = F.gelu(gelu_x, approximate="none")
    gelu_y.sum().backward()
    save("layer_norm", parameters_and_gradients(norm) | {
        "in.x": x, "in.r": r, "out.y": y, "out.loss": loss, "grad.x": x.grad,
        "in.gelu": gelu_x, "out.gelu": gelu_y, "grad.gelu": gelu_x.grad})


# ---- losses ----

def write_cross_entropy():
    """The losses, each the mean as PyTorch defines it: with class weights, the sum is divided by
    the sum of the weights of the labels."""
    torch.manual_seed(4)
    logits = 3 * normal(6, 4)
    labels = torch.tensor([2, 0, 3, 1, 1, 0])
    class_weights = torch.tensor([0.5, 2.0, 1.0, 3.25])
    tensors = {"in.logits": logits, "in.labels": labels, "in.class_weights": class_weights}
    for case, options in {"plain": {},
                          "weighted": {"weight": class_weights},
                          "smoothed": {"label_smoothing": 0.1},
                          "weighted_smoothed": {"weight": class_weights,
                                                "label_smoothing": 0.1}}.items():
        z = leaf(logits)
        loss = F.cross_entropy(z, labels, reduction="mean", **options)
        loss.backward()
        tensors |= {"out." + case: loss, "grad." + case: z.grad}

    bce_logits = 2 * normal(5, 3)
    bce_logits[0] = torch.tensor([30.0, -30.0, 0.0])  # saturated in both directions, and the middle
    bce_targets = torch.rand(5, 3)
    bce_targets[0] = torch.tensor([0.0, 1.0, 1.0])
    bce_targets[1] = torch.tensor([1.0, 0.0, 0.5])
    z = leaf(bce_logits)
    loss = F.binary_cross_entropy_with_logits(z, bce_targets)
    loss.backward()
    tensors |= {"in.bce_logits": z, "in.bce_targets": bce_targets, "out.bce": loss,
                "grad.bce": z.grad}

    x, y = leaf(normal(4, 3)), normal(4, 3)
    loss = F.mse_loss(x, y)
    loss.backward()
    tensors |= {"in.mse_x": x, "in.mse_y": y, "out.mse": loss, "grad.mse_x": x.grad}
    save("cross_entropy", tensors)


# ---- optimizers ----

def trajectory(make_optimizer, start, gradients):
    """The parameter after each step; one step for each gradient."""
    p = leaf(start)
    optimizer = make_optimizer([p])
    after = []
    for g in gradients:
        p.grad = g.clone()
        optimizer.step()
        after.append(p.detach().clone())
    return torch.stack(after)


def write_optim():
    torch.manual_seed(6)
    steps, n = 100, 7
    p = normal(n)
    p[3] = 0.0
    # Columns of tiny and of large numbers. A tenth of the entries, column 5 and half of row 0 are
    # 0.
    g = normal(steps, n) * torch.tensor([1.0, 1e-3, 1e-7, 0.1, 30.0, 0.0, 1.0])
    g[torch.rand(steps, n) < 0.1] = 0.0
    g[0, ::2] = 0.0
    g[:, 6] *= torch.logspace(-4, 1, steps)  # a gradient that grows
    tensors = {"in.p": p, "in.g": g}
    for case, make_optimizer in {
            "adam": lambda ps: torch.optim.Adam(ps, lr=1e-2, eps=1e-8),
            "adam_l2": lambda ps: torch.optim.Adam(ps, lr=1e-2, eps=1e-8, weight_decay=0.1),
            "adamw": lambda ps: torch.optim.AdamW(ps, lr=1e-2, eps=1e-8, weight_decay=0.1),
            "sgd": lambda ps: torch.optim.SGD(ps, lr=1e-2),
            "sgd_momentum": lambda ps: torch.optim.SGD(ps, lr=1e-2, momentum=0.9),
            "sgd_nesterov": lambda ps: torch.optim.SGD(ps, lr=1e-2, momentum=0.9, nesterov=True,
                                                       weight_decay=0.01),
    }.items():
        tensors["traj." + case] = trajectory(make_optimizer, p, g)

    # PyTorch multiplies by max_norm / (norm + 1e-6): the clipped norm is slightly below max_norm.
    a, b = leaf(torch.zeros(4)), leaf(torch.zeros(2, 3))
    a.grad, b.grad = normal(4), 2 * normal(2, 3)
    tensors |= {"in.clip_a": a.grad.clone(), "in.clip_b": b.grad.clone(),
                "in.clip_max_norm": torch.tensor(1.5)}
    norm = clip_grad_norm_([a, b], max_norm=1.5)
    tensors |= {"out.clip_norm": norm, "out.clip_a": a.grad, "out.clip_b": b.grad}
    save("optim", tensors)


def write_sparse_adam():
    """SparseAdam on an nn.Embedding: ids come twice in a batch, rows 0 and 7 never, rows 8 to 11 seldom."""
    torch.manual_seed(7)
    steps, rows, width, n = 100, 12, 3, 6
    table = nn.Embedding(rows, width, sparse=True)
    start = table.weight.detach().clone()
    ids = torch.randint(1, 7, (steps, n))
    ids[::9, 0] = 8 + torch.arange(len(ids[::9])) % 4
    ids[:, 5] = ids[:, 0]
    factors = normal(steps, n, width) * torch.logspace(-3, 1, n).unsqueeze(1)
    optimizer = torch.optim.SparseAdam(table.parameters(), lr=1e-2, eps=1e-8)
    after = []
    for step in range(steps):
        optimizer.zero_grad()
        (table(ids[step]) * factors[step]).sum().backward()
        optimizer.step()
        after.append(table.weight.detach().clone())
    state = optimizer.state[table.weight]
    save("sparse_adam", {"in.p": start, "in.ids": ids.flatten(), "in.factors": factors, "traj.p": torch.stack(after)[9::10],
                         "out.exp_avg": state["exp_avg"], "out.exp_avg_sq": state["exp_avg_sq"]})


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    write_lstm("lstm", 1, lengths=[6, 2, 0, 5, 3], T=6, layers=2, bidirectional=True,
               zero_initial_states=False)
    write_lstm("lstm_one", 2, lengths=[5, 5, 5], T=5, layers=1, bidirectional=False,
               zero_initial_states=True)
    write_additive_attention()
    write_cross_entropy()
    write_layer_norm()
    write_optim()
    write_sparse_adam()


if __name__ == "__main__":
    main()
