#!/usr/bin/env python3
"""check_step.py PAGE [MODEL TEXTCLF TEXT]: checks the data of a stepper page. It computes each
operator's result from its inputs, and each gradient from those of its readers, in Python. With a
model it compares the parameters with the file, to the bit, the answer with textclf predict, the
weights with textclf attend, and gradients with finite differences of predict over changed files.
Prints what differs; exits with 1 if something does."""
import json, math, re, struct, subprocess, sys

wrong, compared = [], 0


def near(what, got, want, scale):
    """Both are sums of floats whose magnitudes sum to `scale`; 2e-5 of that is a few hundred
    roundings."""
    global compared
    compared += 1
    if not abs(got - want) <= 2e-5 * scale + 1e-12:
        wrong.append(f"{what}: {got!r}, not {want!r}")


page = open(sys.argv[1], encoding="utf-8").read()
D = json.loads(re.search(
    r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))
T, N, words, ids = D["tensors"], D["nodes"], D["words"], D["ids"]
for t in reversed(T):
    if isinstance(t.get("g"), int): t["g"] = T[t["g"]]["g"] # equal to that of a later tensor
    t["C"] = t["shape"][-1] if t["shape"] else 1
    t["size"] = math.prod(t["shape"])
    t["R"] = t["size"] // t["C"]
    t["readers"] = []
for n in N:
    n["x"] = [T[k] if k >= 0 else None for k in n["in"]]
    n["y"] = T[n["out"][0]]
    for k, x in enumerate(n["x"]):
        if x: x["readers"].append((n, k))


def at(t, r, c, key="v"):
    """An element, or None if the page does not have it."""
    if key in t: return t[key][r * t["C"] + c]
    if r == t.get("row") and key + "r" in t: return t[key + "r"][c]
    return t[key + "c"][r] if c == t.get("column") and key + "c" in t else None


def row_of(t, r, key="v"):
    if key in t: return t[key][r * t["C"]:(r + 1) * t["C"]]
    return t.get(key + "r") if r == t.get("row") else None


def column_of(t, c, key="v"):
    if key in t: return t[key][c::t["C"]]
    return t.get(key + "c") if c == t.get("column") else None


def has_grad(t): return "g" in t or "gr" in t
def spread(t, r, c): return (0 if t["R"] == 1 else r, 0 if t["C"] == 1 else c)


BINARY = {"add": lambda a, b: (a + b, 1, 1), "sub": lambda a, b: (a - b, 1, -1),
          "mul": lambda a, b: (a * b, b, a)}
UNARY = {"sigmoid": lambda x: (1 / (1 + math.exp(-x)), lambda y: y * (1 - y)),
         "tanh": lambda x: (math.tanh(x), lambda y: 1 - y * y),
         "relu": lambda x: (max(x, 0), lambda y: float(x > 0)),
         "sqrt": lambda x: (math.sqrt(x), lambda y: 1 / (2 * y)),
         "square": lambda x: (x * x, lambda y: 2 * x), "neg": lambda x: (-x, lambda y: -1)}


def part(n):
    """Where a slice starts: its name tells, or it follows the slices before it."""
    x, y = n["x"][0], n["y"]
    by_column = x["C"] != y["C"]
    if x["name"].startswith("H"): return False, 0 if "right to left" in n["scope"] else x["R"] - 1
    name = re.match(r"^([a-z])_(\d+)$", y["name"])
    if name: return by_column, (int(name[2]) - 1) * (y["C"] if by_column else y["R"])
    before = [q for q, k in x["readers"] if q["op"] == "slice"]
    return by_column, sum(q["y"]["C" if by_column else "R"] for q in before[:before.index(n)])


def product(n):
    """Which sides of a matmul are transposed. If the shapes allow several answers, the one that
    gives the result."""
    (a, b), y = n["x"], n["y"]
    fits = [(ta, tb) for ta in (False, True) for tb in (False, True)
            if (a["C"] if ta else a["R"]) == y["R"] and (b["R"] if tb else b["C"]) == y["C"]
            and (a["R"] if ta else a["C"]) == (b["C"] if tb else b["R"])]
    def off(f): return abs(dot(*sides(n, f, 0, y["C"] - 1)) - at(y, 0, y["C"] - 1))
    return fits[0] if len(fits) == 1 else min(fits, key=off)


def sides(n, transposed, r, c):
    """The two vectors whose dot product is element [r, c] of a matmul."""
    (a, b), (ta, tb) = n["x"], transposed
    return (column_of if ta else row_of)(a, r), (row_of if tb else column_of)(b, c)


def dot(a, b): return sum(p * q for p, q in zip(a, b))


def chances(row):
    e = [math.exp(v - max(row)) for v in row]
    return [v / sum(e) for v in e]


def result(n, r, c):
    """(value, sum of magnitudes) of element [r, c] of the result; None if the page does not have
    the numbers for it."""
    op, x, y = n["op"], n["x"], n["y"]
    if op in BINARY:
        a, b = (at(q, *spread(q, r, c)) for q in x)
        return BINARY[op](a, b)[0], abs(a) + abs(b)
    if op in UNARY: return UNARY[op](at(x[0], r, c))[0], 1 + abs(at(x[0], r, c))
    if op in ("linear", "matmul"):
        p, q = (row_of(x[0], r), row_of(x[1], c)) if op == "linear" else sides(n, product(n), r, c)
        if p is None or q is None: return None
        bias = at(x[2], 0, c) if op == "linear" and x[2] else 0
        return dot(p, q) + bias, sum(abs(v * w) for v, w in zip(p, q)) + abs(bias)
    if op == "softmax": return chances(row_of(x[0], r))[c], 1
    if op == "slice":
        by_column, start = part(n)
        v = at(x[0], r + (0 if by_column else start), c + (start if by_column else 0))
        return None if v is None else (v, 0)
    if op == "concat":
        for q in x:
            if y["C"] == sum(p["C"] for p in x) and y["R"] == x[0]["R"]:
                if c < q["C"]: return at(q, r, c), 0
                c -= q["C"]
            else:
                if r < q["R"]: return at(q, r, c), 0
                r -= q["R"]
    if op == "gather" and y["name"] == "x":
        v = at(x[0], ids[r], c)
        return None if v is None else (v, 0)
    if op == "reshape":
        i = r * y["C"] + c
        return at(x[0], i // x[0]["C"], i % x[0]["C"]), 0
    if op in ("sum", "mean", "max"):
        count = x[0]["size"] // y["size"]
        terms = x[0]["v"][(r * y["C"] + c) * count:][:count]
        magnitude = sum(map(abs, terms))
        if op == "max": return max(terms), magnitude
        return sum(terms) / (count if op == "mean" else 1), magnitude
    if op == "permute" and x[0]["R"] == y["C"]: return at(x[0], c, r), 0
    if op == "cross_entropy": return -math.log(chances(row_of(x[0], 0))[D["label"]]), 1
    if op == "l2_normalize":
        row = row_of(x[0], r)
        return row[c] / math.hypot(*row), 1
    if op == "layer_norm":
        row = row_of(x[0], r)
        mean = sum(row) / len(row)
        deviation = math.sqrt(sum((v - mean) ** 2 for v in row) / len(row) + 1e-5)
        return (row[c] - mean) / deviation * at(x[1], 0, c) + at(x[2], 0, c), 3
    return None


def sent(n, k, r, c):
    """The terms that operator n adds to the gradient of element [r, c] of its input k."""
    op, x, y = n["op"], n["x"], n["y"]
    def dy(i, j): return at(y, i, j, "g")
    t = x[k]
    if op in BINARY:
        rows = range(y["R"]) if t["R"] == 1 else [r]
        columns = range(y["C"]) if t["C"] == 1 else [c]
        return [dy(i, j) * BINARY[op](*(at(q, *spread(q, i, j)) for q in x))[1 + k]
                for i in rows for j in columns]
    if op in UNARY: return [dy(r, c) * UNARY[op](at(t, r, c))[1](at(y, r, c))]
    if op == "linear":
        if k == 0:
            w = column_of(x[1], c)
            return w and [p * q for p, q in zip(row_of(y, r, "g"), w)]
        g = column_of(y, r if k == 1 else c, "g")
        return [p * q for p, q in zip(g, column_of(x[0], c))] if k == 1 else g
    if op == "matmul":
        ta, tb = product(n)
        if k == 0:
            i, inner = (c, r) if ta else (r, c)
            p, q = row_of(y, i, "g"), (column_of if tb else row_of)(x[1], inner)
        else:
            inner, j = (c, r) if tb else (r, c)
            p, q = column_of(y, j, "g"), (row_of if ta else column_of)(x[0], inner)
        return None if p is None or q is None else [v * w for v, w in zip(p, q)]
    if op == "softmax":
        a, g = row_of(y, r), row_of(y, r, "g")
        return [a[c] * g[c]] + [-a[c] * p * q for p, q in zip(a, g)]
    if op == "slice":
        by_column, start = part(n)
        i, j = r - (0 if by_column else start), c - (start if by_column else 0)
        if not (0 <= i < y["R"] and 0 <= j < y["C"]): return [0.0]
        v = dy(i, j)
        return None if v is None else [v]
    if op == "concat":
        if y["C"] == sum(p["C"] for p in x) and y["R"] == x[0]["R"]:
            return [dy(r, c + sum(p["C"] for p in x[:k]))]
        return [dy(r + sum(p["R"] for p in x[:k]), c)]
    if op == "gather" and y["name"] == "x":
        return [dy(i, c) for i, number in enumerate(ids) if number == r] or [0.0]
    if op == "reshape": return [dy((r * t["C"] + c) // y["C"], (r * t["C"] + c) % y["C"])]
    if op in ("sum", "mean", "max"):
        count, i = t["size"] // y["size"], r * t["C"] + c
        run = t["v"][i // count * count:][:count]
        if op == "max" and t["v"][i] != max(run): return [0.0]
        divisor = {"sum": 1, "mean": count, "max": run.count(max(run))}[op]
        return [y["g"][i // count] / divisor]
    if op == "permute" and t["R"] == y["C"]: return [dy(c, r)]
    if op == "cross_entropy": return [chances(row_of(t, 0))[c], -float(c == D["label"])]
    if op == "l2_normalize":
        v, g, u = row_of(t, r), row_of(y, r, "g"), row_of(y, r)
        return [(p / math.hypot(*v)) for p in [g[c]] + [-u[c] * a * b for a, b in zip(u, g)]]
    return None


def places(t):
    """The elements to check: all of a small tensor, else some of each row, and the feature that the
    page follows."""
    if t["size"] <= 256 and ("v" in t): return [(i // t["C"], i % t["C"]) for i in range(t["size"])]
    if "v" not in t: return [(t["row"], c) for c in range(0, t["C"], 7)] + [(t["row"], t["column"])]
    return [(r, c) for r in range(t["R"]) for c in {0, t["unit"] % t["C"], (37 * r + 11) % t["C"]}]


forward = backward = 0
for n in N:
    for r, c in places(n["y"]):
        want = result(n, r, c)
        if want and at(n["y"], r, c) is not None:
            near(f"{n['op']} {n['y']['name']}[{r}, {c}]", at(n["y"], r, c), want[0],
                 want[1] + abs(want[0]))
            forward += 1
for t in T:
    if not has_grad(t) or not t["readers"]: continue
    for r, c in places(t):
        terms = [sent(n, k, r, c) for n, k in t["readers"] if has_grad(n["y"])]
        if None in terms or at(t, r, c, "g") is None: continue
        flat = [v for part_terms in terms for v in part_terms]
        near(f"the gradient of {t['name']}[{r}, {c}]", at(t, r, c, "g"), sum(flat),
             sum(map(abs, flat)))
        backward += 1
near("the gradient of the loss", at(N[-1]["y"], 0, 0, "g"), 1, 1)
if forward < len(N) // 2 or backward < len(N) // 2:
    wrong.append(f"only {forward} results and {backward} gradients could be compared")

# The update: before - rate times gradient.
for after in D["after"]:
    t = T[after["tensor"]]
    for key in ("v", "vr", "vc"):
        for v, g, w in zip(t.get(key, []), t.get(key.replace("v", "g"), []), after.get(key, [])):
            near(f"{t['name']} after the step", w, v - D["rate"] * g, abs(v) + 1e-3)

# ---- against the model's file and the other commands ----


def output(*command):
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def predict(textclf, path, text):
    return json.loads(output(textclf, "predict", "--json", path, text))["probabilities"]


if len(sys.argv) > 2:
    path, textclf, text = sys.argv[2:5]
    raw = open(path, "rb").read()
    head = struct.unpack("<Q", raw[:8])[0]
    entries = json.loads(raw[8:8 + head])

    def places_in_file(t, key): # of the numbers that stand under this key of the page
        start = 8 + head + entries[t["param"]]["data_offsets"][0]
        if key == "v": index = range(t["size"])
        elif key == "vr": index = [t["row"] * t["C"] + c for c in range(t["C"])]
        else: index = [r * t["C"] + t["column"] for r in range(t["R"])]
        return [start + 4 * i for i in index]

    seen = set()
    for t in T:
        if not t["param"]: continue
        seen.add(t["param"])
        for key in (k for k in ("v", "vr", "vc") if k in t):
            for place, v in zip(places_in_file(t, key), t[key]):
                compared += 1
                if struct.pack("<f", v) != raw[place:place + 4]:
                    wrong.append(f"{t['param']}: {v!r} is not what the file has")
    if seen != {k for k in entries if k != "__metadata__"}:
        wrong.append(f"the page has the parameters {seen}")

    label = D["labels"][D["label"]]
    logits = next(t for t in T if t["name"] == "logits")
    predicted = predict(textclf, path, text)
    for name, p in zip(D["labels"], chances(logits["v"])):
        near(f"the probability of {name}", p, predicted[name], 1)
    near("the loss", D["loss"][0], -math.log(predicted[label]), 1)
    weights = [t for t in T if re.match(r"^a(_\d+)?$", t["name"]) and t["R"] == 1 and "v" in t]
    if weights:
        lines = output(textclf, "attend", path, text).splitlines()
        shown = [float(line.split()[-2]) for line in lines
                 if re.match(r"^  .* \d\.\d{3} ", line)]
        for k, w in enumerate(words):
            mean = sum(t["v"][k] for t in weights) / len(weights)
            compared += 1
            if not abs(shown[k] - mean) <= 0.00051:
                wrong.append(f"the weight of {w} is {mean}, and attend shows {shown[k]}")

    # (L(p + h) - L(p - h)) / 2h over files in which one number was changed; h is the step that
    # float allows. To 5 %: relu has kinks; the largest of a feature has so many that it is left
    # out.
    for t in T:
        if not t["param"] or not has_grad(t) or "max pool" in D["about"]: continue
        key = "v" if "v" in t else "vr"
        g = t[key.replace("v", "g")]
        k = max(range(len(g)), key=lambda i: abs(g[i]))
        loss, h = [], min(0.005, 2e-3 / max(abs(g[k]), 1e-6))
        if abs(g[k]) * h < 5e-6: continue # too small for float
        for sign in (1, -1):
            changed = bytearray(raw)
            struct.pack_into("<f", changed, places_in_file(t, key)[k], t[key][k] + sign * h)
            open("nudged.st", "wb").write(changed)
            loss.append(-math.log(predict(textclf, "nudged.st", text)[label]))
        near(f"the gradient of {t['param']} by finite differences",
             (loss[0] - loss[1]) / (2 * h) / 2500, g[k] / 2500, abs(g[k]) + 1e-5 / h)

for line in wrong[:20]: print(line)
print(f"{compared} numbers compared, {len(wrong)} differ")
sys.exit(bool(wrong) or not compared)
