#!/usr/bin/env python3
"""Writes the golden files of attention: results of PyTorch's attention, multi-head attention and
transformer layers.

    python3 tests/golden/make_attention.py        (PyTorch 2.13.0, CPU; it needs nothing else)

Names and conventions are those of make_golden.py. The padding holds ordinary numbers here, and
padded queries are part of the loss: PyTorch computes them, and so does tapegrad without query
lengths. Every query can attend to something, because PyTorch gives NaN otherwise. Heads lie side by
side in the last axis, as in the arguments of tg_dot_attention.
"""
import torch
import torch.nn.functional as F
from torch import nn

from make_golden import leaf, normal, parameters_and_gradients, randomize
from make_golden import save as save_file

MADE_BY = "tests/golden/make_attention.py, PyTorch " + torch.__version__.split("+")[0]


def save(name, tensors):
    save_file(name, tensors, metadata={"made_by": MADE_BY})


def length_mask(lengths, T):
    """[B, T], True within the lengths."""
    return torch.arange(T)[None, :] < torch.tensor(lengths)[:, None]


def split_heads(x, heads):
    """[B, T, heads * D] -> [B, heads, T, D]"""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def join_heads(x):
    return x.transpose(1, 2).flatten(2)


def assert_close(a, b):
    if not torch.allclose(a, b, rtol=1e-12, atol=1e-13):
        raise ValueError("two computations of the same result differ by %g" % (a - b).abs().max())


# ---- products ----

def write_products():
    """F.scaled_dot_product_attention, and the same by its formula, which gives the weights and
    the gradients of weights and scores."""
    torch.manual_seed(11)
    B, heads, Tq, Tk, D, Dv, lengths = 3, 2, 4, 5, 3, 2, [5, 1, 3]
    q, k, v = normal(B, Tq, heads * D), normal(B, Tk, heads * D), normal(B, Tk, heads * Dv)
    r = normal(B, Tq, heads * Dv)
    keep = torch.rand(B, Tq, Tk) < 0.5
    keep[:, :, 2] |= ~keep.any(2)  # every query can attend to something
    causal = torch.ones(Tq, Tk, dtype=torch.bool).tril()
    within = length_mask(lengths, Tk)[:, None, :]
    tensors = {"in.q": q, "in.k": k, "in.v": v, "in.r": r, "in.keep": keep,
               "in.lengths": torch.tensor(lengths)}
    cases = {"plain": None, "lengths": within.expand(B, Tq, Tk), "keep": keep,
             "causal": causal.expand(B, Tq, Tk),
             "all": keep & causal & within | torch.eye(Tq, Tk).bool()}
    tensors["in.keep_all"] = cases["all"]
    for case, mask in cases.items():
        leaves = [leaf(x) for x in (q, k, v)]
        q_heads, k_heads, v_heads = [split_heads(x, heads) for x in leaves]
        scale = 0.3 if case == "keep" else None
        y = join_heads(F.scaled_dot_product_attention(
            q_heads, k_heads, v_heads, attn_mask=None if mask is None else mask[:, None],
            scale=scale))
        if case == "causal":
            assert_close(y, join_heads(F.scaled_dot_product_attention(
                q_heads, k_heads, v_heads, is_causal=True)))
        scores = q_heads @ k_heads.transpose(2, 3) * (scale or D ** -0.5)
        open_scores = scores if mask is None else scores.masked_fill(~mask[:, None], -torch.inf)
        weights = torch.softmax(open_scores, dim=3)
        scores.retain_grad()
        weights.retain_grad()
        by_formula = join_heads(weights @ v_heads)
        assert_close(y, by_formula)
        (by_formula * r).sum().backward()
        for x, grad in zip(leaves, torch.autograd.grad((y * r).sum(), leaves)):
            assert_close(x.grad, grad)
        # 0 for masked pairs
        weight_grads = weights.grad if mask is None else weights.grad * mask[:, None]
        tensors |= {f"out.{case}": y, f"out.{case}.weights": weights,
                    f"grad.{case}.q": leaves[0].grad, f"grad.{case}.k": leaves[1].grad,
                    f"grad.{case}.v": leaves[2].grad, f"grad.{case}.weights": weight_grads,
                    f"grad.{case}.scores": scores.grad}
    save("attention_products", tensors)


# ---- scores ----

class Additive(nn.Module):
    """v . tanh(Wq q + Wk k + b) for every pair."""

    def __init__(self, query_width, key_width, width):
        super().__init__()
        self.query = nn.Linear(query_width, width, bias=False)
        self.key = nn.Linear(key_width, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, q, k):
        hidden = torch.tanh(self.query(q)[:, :, None] + self.key(k)[:, None])
        return self.score(hidden).squeeze(3)


class Bilinear(nn.Module):
    """q . W k for every pair."""

    def __init__(self, query_width, key_width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(query_width, key_width))

    def forward(self, q, k):
        return torch.einsum("bid,de,bje->bij", q, self.weight, k)


class Fixed(nn.Module):
    """A score without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, q, k):
        return self.function(q, k)


def write_scores():
    """The six scores, each in four modes (softmax or raw; times the score or not), with lengths."""
    B, Tq, Tk, D, Dv, A, lengths = 2, 3, 4, 3, 2, 4, [4, 2]
    mask = length_mask(lengths, Tk)[:, None, :].expand(B, Tq, Tk)
    modules = {
        "dot": Fixed(lambda q, k: q @ k.transpose(1, 2)),
        "scaled_dot": Fixed(lambda q, k: q @ k.transpose(1, 2) / D ** 0.5),
        "bilinear": Bilinear(D, D),
        "additive": Additive(D, D, A),
        "cosine": Fixed(lambda q, k: F.cosine_similarity(q[:, :, None], k[:, None], dim=3, eps=0)),
        "euclidean": Fixed(lambda q, k: -torch.cdist(
            q, k, compute_mode="donot_use_mm_for_euclid_dist"))}
    torch.manual_seed(12)
    q, k, v, r = normal(B, Tq, D), normal(B, Tk, D), normal(B, Tk, Dv), normal(B, Tq, Dv)
    tensors = {"in.q": q, "in.k": k, "in.v": v, "in.r": r, "in.lengths": torch.tensor(lengths)}
    for score, module in modules.items():
        randomize(module, 0.7)
        tensors |= {f"param.{score}.{name}": p for name, p in module.named_parameters()}
        for mode in ["softmax", "softmax_times", "raw", "raw_times"]:
            module.zero_grad()
            leaves = [leaf(x) for x in (q, k, v)]
            s = module(leaves[0], leaves[1])
            if mode.startswith("raw"):
                a = s.masked_fill(~mask, 0)
            else:
                a = torch.softmax(s.masked_fill(~mask, -torch.inf), dim=2)
            if mode.endswith("times"):
                a = a * s.masked_fill(~mask, 0)
            y = a @ leaves[2]
            (y * r).sum().backward()
            case = f"{score}.{mode}"
            tensors |= {f"out.{case}": y}
            tensors |= {f"grad.{case}.{name}": x.grad for name, x in zip("qkv", leaves)}
            tensors |= {f"grad.{case}.{name}": p.grad.clone()
                        for name, p in module.named_parameters()}
    save("attention_scores", tensors)


# ---- sequential attention ----

class SequentialAttention(nn.Module):
    """SequentialAttention, with a softmax over time: x [B, T, in] -> [B, out]."""

    def __init__(self, input_dim, hidden_dim, output_dim):
        super().__init__()
        self.linear1 = nn.Linear(input_dim, hidden_dim)
        self.linear2 = nn.Linear(hidden_dim, output_dim)
        self.attention = nn.Linear(hidden_dim, 1)

    def forward(self, x, mask):
        h = torch.tanh(self.linear1(x))
        a = torch.exp(self.attention(h)) * mask[:, :, None]
        a = a / torch.sum(a, dim=1, keepdim=True)
        y = torch.sum(a * h, dim=1)
        return self.linear2(y), a.squeeze(2)


def write_sequential():
    torch.manual_seed(13)
    B, T, lengths = 3, 4, [4, 1, 3]
    module = SequentialAttention(10, 20, 5)
    x, r = leaf(normal(B, T, 10)), normal(B, 5)
    y, a = module(x, length_mask(lengths, T))
    (y * r).sum().backward()
    tensors = parameters_and_gradients(module) | {
        "in.x": x, "in.r": r, "in.lengths": torch.tensor(lengths), "out.y": y, "out.weights": a,
        "grad.x": x.grad}
    for name in ["param.attention.bias", "grad.attention.bias"]:
        del tensors[name]  # tapegrad does not have this bias: softmax cancels it
    save("sequential_attention", tensors)


# ---- multi-head attention, transformers ----

def write_multihead(name, seed, cross, causal, lengths):
    """nn.MultiheadAttention with a key padding mask."""
    torch.manual_seed(seed)
    B, Tq, Tk, E, heads = 3, 4, 5 if cross else 4, 6, 2
    module = nn.MultiheadAttention(E, heads, batch_first=True)
    randomize(module, 0.6)
    x, memory, r = leaf(normal(B, Tq, E)), leaf(normal(B, Tk, E)), normal(B, Tq, E)
    source = memory if cross else x
    mask = ~torch.ones(Tq, Tk, dtype=torch.bool).tril() if causal else None
    y, weights = module(x, source, source, key_padding_mask=~length_mask(lengths, Tk),
                        attn_mask=mask, average_attn_weights=False)
    (y * r).sum().backward()
    tensors = parameters_and_gradients(module) | {
        "in.x": x, "in.lengths": torch.tensor(lengths), "in.r": r, "out.y": y,
        "out.weights": weights, "grad.x": x.grad}
    if cross:
        tensors |= {"in.memory": memory, "grad.memory": memory.grad}
    save(name, tensors)


def write_transformer(seed, decoder, pre_norm, activation):
    """nn.TransformerEncoderLayer with lengths; nn.TransformerDecoderLayer, causal, with lengths
    and memory lengths."""
    torch.manual_seed(seed)
    B, T, Tk, E, heads, hidden = 3, 4, 5, 6, 2, 7
    lengths, memory_lengths = [4, 2, 3], [1, 5, 3]
    kind = nn.TransformerDecoderLayer if decoder else nn.TransformerEncoderLayer
    layer = kind(E, heads, hidden, dropout=0.0, activation=activation, batch_first=True,
                 norm_first=pre_norm)
    layer.train()  # PyTorch's fast path for inference does not compute padded queries
    randomize(layer, 0.6)
    x, memory, r = leaf(normal(B, T, E)), leaf(normal(B, Tk, E)), normal(B, T, E)
    padding = ~length_mask(lengths, T)
    if decoder:
        y = layer(x, memory, tgt_mask=~torch.ones(T, T, dtype=torch.bool).tril(),
                  tgt_key_padding_mask=padding,
                  memory_key_padding_mask=~length_mask(memory_lengths, Tk))
    else:
        y = layer(x, src_key_padding_mask=padding)
    (y * r).sum().backward()
    tensors = parameters_and_gradients(layer) | {
        "in.x": x, "in.lengths": torch.tensor(lengths), "in.r": r, "out.y": y, "grad.x": x.grad}
    if decoder:
        tensors |= {"in.memory": memory, "in.memory_lengths": torch.tensor(memory_lengths),
                    "grad.memory": memory.grad}
    side, norm = "decoder" if decoder else "encoder", "pre" if pre_norm else "post"
    save(f"transformer_{side}_{norm}_{activation}", tensors)


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    write_products()
    write_scores()
    write_sequential()
    write_multihead("multihead_self", 14, cross=False, causal=False, lengths=[4, 1, 3])
    write_multihead("multihead_cross", 15, cross=True, causal=False, lengths=[5, 2, 4])
    write_multihead("multihead_causal", 16, cross=False, causal=True, lengths=[4, 4, 2])
    seed = 17
    for decoder in [False, True]:
        for pre_norm in [False, True]:
            for activation in ["relu", "gelu"]:
                write_transformer(seed, decoder, pre_norm, activation)
                seed += 1


if __name__ == "__main__":
    main()
