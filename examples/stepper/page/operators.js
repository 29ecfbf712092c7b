/* Operators: what they compute, and what they send back. Each operator has, as HTML:
 *
 *   form(n)        the formula
 *   why            two texts: what it is for, and what its backward step means
 *   rules(n)       for each input, what is added to its gradient
 *   derived(n)     how the rule is derived (optional)
 *   make(n, i)     the computation of element i of the result: {html, value, mass}
 *   send(n, k, i)  the computation of what is added to the gradient of element i of input k
 *
 * make and send return undefined if the page lacks a number for it; lacks(n, k) then says which numbers there are: for the result
 * (k is undefined), or for input k. mass is the sum of all magnitudes that are added. */

const OPS = {};

/* ---- element by element ---- */

/* The element of an operand that element [r, c] of the result depends on, with broadcasting of axes of size 1. */
const stretched = (t, r, c) => (t.R === 1 ? 0 : r) * t.C + (t.C === 1 ? 0 : c);
/* The elements of the result that depend on element i of input k. */
function madeOf(n, k, i) {
  const t = n.x[k], y = n.y, [r, c] = rc(t, i), found = [];
  for (let p = t.R === 1 ? 0 : r; p < (t.R === 1 ? y.R : r + 1); p++)
    for (let q = t.C === 1 ? 0 : c; q < (t.C === 1 ? y.C : c + 1); q++) found.push(p * y.C + q);
  return found;
}
/* The word to whose row element i of the result belongs. */
const wordOf = (n, i) => n.y.R > 1 && rowIsWord(n.y) ? ofRow(n.y, rc(n.y, i)[0]) : "";

/* slope(k, a, b) is dy/d(operand k); slopeText(k, n) is its formula, "" if it is 1. */
function binary({sign, dot = sign, why, f, rules, slope, slopeText}) {
  const operands = (n, i) => n.x.map(x => stretched(x, ...rc(n.y, i)));
  return {
    form: n => `${name(n.y)} = ${name(n.x[0])} ${sign} ${name(n.x[1])}`, why, rules,
    make(n, i) {
      const [p, q] = operands(n, i), a = val(n.x[0], p), b = val(n.x[1], q);
      return {html: `${el(n.x[0], p)} ${sign} ${el(n.x[1], q)} = ${signed(a)} ${dot} ${signed(b)}`, value: f(a, b)};
    },
    send(n, k, i) {
      const made = madeOf(n, k, i);
      const terms = made.map(j => {
        const s = slope(k, ...operands(n, j).map((p, side) => val(n.x[side], p)));
        return s === 1 ? [wordOf(n, j), grd(n.y, j)] : [wordOf(n, j), grd(n.y, j), s];
      });
      if (made.length > 1) return worked(sum(terms));
      const text = slopeText(k, n);
      return worked(sum(terms), html => del(n.y, made[0]) + (text && ` · ${text} = ${html}`));
    },
  };
}
OPS.add = binary({
  sign: "+", f: (a, b) => a + b, slope: () => 1, slopeText: () => "",
  why: ["Adds element by element.", "Both sides get the gradient that arrives, unchanged."],
  rules: n => n.x.map(x => `${d(x)} += ${d(n.y)}`),
});
OPS.sub = binary({
  sign: "−", f: (a, b) => a - b, slope: k => k ? -1 : 1, slopeText: k => k ? "(−1)" : "",
  why: ["Subtracts element by element.", "The left side gets the gradient that arrives, the right side its negative."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)}`, `${d(n.x[1])} −= ${d(n.y)}`],
});
OPS.mul = binary({
  sign: "⊙", dot: "·", f: (a, b) => a * b, slope: (k, a, b) => k ? a : b, slopeText: (k, n) => name(n.x[1 - k]),
  why: ["Multiplies element by element. If one side is a gate, it lets a share of the other through.",
    "The derivative with respect to each side is the other side. If a gate is shut (near 0), hardly any gradient gets through."],
  rules: n => n.x.map((x, k) => `${d(x)} += ${d(n.y)} ⊙ ${name(n.x[1 - k])}`),
});
OPS.div = binary({
  sign: "/", f: (a, b) => a / b, slope: (k, a, b) => k ? -a / (b * b) : 1 / b,
  slopeText: (k, n) => k ? `(−${name(n.x[0])}/${name(n.x[1])}²)` : `1/${name(n.x[1])}`,
  why: ["Divides element by element.", "The derivative of a/b is 1/b with respect to a, and −a/b² with respect to b."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)} / ${name(n.x[1])}`, `${d(n.x[1])} −= ${d(n.y)} ⊙ ${name(n.y)} / ${name(n.x[1])}`],
});
OPS.maximum = binary({
  sign: "max", f: Math.max, slope: (k, a, b) => a === b ? 0.5 : (a > b) === (k === 0) ? 1 : 0,
  slopeText: (k, n) => `[${name(n.x[k])} is larger]`,
  why: ["The larger of two numbers.", "The larger one gets the gradient that arrives."],
  rules: n => n.x.map(x => `${d(x)} += ${d(n.y)} if ${name(x)} is larger`),
});

/* slope(x, y) is dy/dx; slopeText(n) is its formula, slopeNumbers(x, y) the same with numbers. */
function unary({show, why, f, slope, slopeText, slopeNumbers}) {
  return {
    form: n => `${name(n.y)} = ${show(name(n.x[0]))}`, why, rules: n => [`${d(n.x[0])} += ${d(n.y)} ⊙ ${slopeText(n)}`],
    make: (n, i) => ({html: `${show(el(n.x[0], i))} = ${show(num(val(n.x[0], i)))}`, value: f(val(n.x[0], i))}),
    send(n, k, i) {
      const x = val(n.x[0], i), y = val(n.y, i), g = grd(n.y, i);
      return {html: `${del(n.y, i)} · ${slopeText(n)} = ${signed(g)} · ${slopeNumbers(x, y)}`, value: g * slope(x, y)};
    },
  };
}
OPS.sigmoid = unary({
  show: x => `σ(${x})`, f: x => 1 / (1 + Math.exp(-x)), slope: (x, y) => y * (1 - y),
  slopeText: n => `${name(n.y)}(1 − ${name(n.y)})`, slopeNumbers: (x, y) => `${num(y)} · (1 − ${num(y)})`,
  why: ["Maps any number into 0 … 1, as a gate needs it.",
    "The derivative y(1 − y) is at most ¼. It is nearly 0 if the gate is wide open or shut, and then the gradient vanishes."],
});
OPS.tanh = unary({
  show: x => `tanh ${x}`, f: Math.tanh, slope: (x, y) => 1 - y * y,
  slopeText: n => `(1 − ${name(n.y)}²)`, slopeNumbers: (x, y) => `(1 − ${signed(y)}²)`,
  why: ["Maps any number into −1 … 1.", "The derivative 1 − y² is 1 at 0 and falls to 0 on both sides."],
});
OPS.relu = unary({
  show: x => `relu(${x})`, f: x => Math.max(x, 0), slope: x => x > 0 ? 1 : 0,
  slopeText: n => `[${name(n.x[0])} &gt; 0]`, slopeNumbers: x => x > 0 ? "1" : "0",
  why: ["Negative numbers become 0.", "The derivative is 1 for positive numbers, which get the gradient unchanged, and 0 for the others."],
});
OPS.exp = unary({
  show: x => `exp(${x})`, f: Math.exp, slope: (x, y) => y, slopeText: n => name(n.y), slopeNumbers: (x, y) => num(y),
  why: ["e to the power of each number.", "The derivative is the result itself."],
});
OPS.log = unary({
  show: x => `log(${x})`, f: Math.log, slope: x => 1 / x, slopeText: n => `1/${name(n.x[0])}`, slopeNumbers: x => `1/${signed(x)}`,
  why: ["The natural logarithm.", "The derivative is 1/x."],
});
OPS.sqrt = unary({
  show: x => `√${x}`, f: Math.sqrt, slope: (x, y) => 1 / (2 * y),
  slopeText: n => `1/(2${name(n.y)})`, slopeNumbers: (x, y) => `1/(2·${num(y)})`,
  why: ["The square root.", "The derivative is 1/(2√x): the smaller the number, the larger the derivative."],
});
OPS.square = unary({
  show: x => `(${x})²`, f: x => x * x, slope: x => 2 * x, slopeText: n => `2${name(n.x[0])}`, slopeNumbers: x => `2·${signed(x)}`,
  why: ["The square of each number.", "The derivative is 2x."],
});
OPS.neg = unary({
  show: x => `−${x}`, f: x => -x, slope: () => -1, slopeText: () => "(−1)", slopeNumbers: () => "(−1)",
  why: ["Changes the sign.", "The gradient changes its sign, too."],
});

/* ---- products ---- */

/* The letter of the index that a sum runs over: j for words, c for features, or another one if a tensor of n has that name. */
function indexLetter(n, words) {
  const names = [...n.x, n.y].filter(Boolean).map(t => t.name.split("_")[0].replace(/[^a-z]/gi, ""));
  return [...(words ? "jtn" : "cken")].find(letter => !names.includes(letter));
}

OPS.linear = {
  form: n => `${name(n.y)} = ${name(n.x[0])} ${name(n.x[1])}ᵀ${n.x[2] ? ` + ${name(n.x[2])}` : ""}`,
  why: ["Every output is a weighted sum of all inputs. Row j of the matrix has the weights of output j.",
    "An input gets a gradient from every output, times the weight between them. A weight gets the gradient of its output, " +
    "times its input."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)} ${name(n.x[1])}`, `${d(n.x[1])} += (${d(n.y)})ᵀ ${name(n.x[0])}`,
    n.x[2] && `${d(n.x[2])} += ${d(n.y)}${n.y.R > 1 ? ", summed over rows" : ""}`],
  lacks: (n, k) => k ? "" : k === undefined
    ? `The page has only row ${n.x[1].row} of ${m(name(n.x[1]))}. Click cell ${n.x[1].row} to see its computation.`
    : `The page has only column ${n.x[1].column} of ${m(name(n.x[1]))}. Click cell ${n.x[1].column} to see its computation.`,
  make(n, i) {
    const [x, w, b] = n.x, [r, j] = rc(n.y, i), s = sum(rowOf(x, "v", r).map((v, k) => ["", v, val(w, j * w.C + k)]));
    const letter = indexLetter(n, false);
    const left = `Σ<sub>${letter}</sub> ${indexed(name(x), x, ofRow(x, r), letter)}·${indexed(name(w), w, j, letter)}`;
    if (!b) return worked(s, html => `${left} = ${html}`);
    return s && {html: `${left} + ${el(b, j)} = ${s.html} + ${signed(val(b, j))}`, value: s.value + val(b, j), mass: s.mass};
  },
  send(n, k, i) {
    const [x, w] = n.x, y = n.y, rows = Array.from({length: y.R}, (_, r) => r), over = y.R > 1 ? "Σ<sub>rows</sub> " : "";
    if (k === 0) {
      const [r, c] = rc(x, i), s = sum(rowOf(y, "g", r).map((g, j) => ["", g, val(w, j * w.C + c)]));
      return worked(s, html => `Σ<sub>j</sub> ${indexed(d(y), y, ofRow(y, r), "j")}·${indexed(name(w), w, "j", c)} = ${html}`);
    }
    if (k === 1) {
      const [j, c] = rc(w, i), s = sum(rows.map(r => [wordOf(n, r * y.C), grd(y, r * y.C + j), val(x, r * x.C + c)]));
      return worked(s, html => `${over}${d(y)}[${ofColumn(y, j)}]·${name(x)}[${c}] = ${html}`);
    }
    const s = sum(rows.map(r => [wordOf(n, r * y.C), grd(y, r * y.C + i)]));
    return worked(s, html => `${over}${d(y)}[${ofColumn(y, i)}]${over && ` = ${html}`}`);
  },
};

/* y [R, C] = a b, where a and b may be transposed; the shapes tell which, or else the numbers do. Returns {ta, tb, K, A, B}: K is the
 * size of the axis that is summed over, and A(r, k) and B(k, c) are the indices of those elements in a and b. */
function orient(n) {
  if (n.orient) return n.orient;
  const [a, b] = n.x, y = n.y, fits = [];
  for (const [ta, tb] of [[false, false], [false, true], [true, false], [true, true]]) {
    const K = ta ? a.R : a.C;
    if ((ta ? a.C : a.R) !== y.R || (tb ? b.C : b.R) !== K || (tb ? b.R : b.C) !== y.C) continue;
    fits.push({ta, tb, K, A: (r, k) => ta ? k * a.C + r : r * a.C + k, B: (k, c) => tb ? c * b.C + k : k * b.C + c});
  }
  const off = f => {
    const products = Array.from({length: f.K}, (_, k) => val(a, f.A(0, k)) * val(b, f.B(k, y.C - 1)));
    const gap = Math.abs(total(products) - val(y, y.C - 1));
    return isNaN(gap) ? Infinity : gap;
  };
  if (fits.length > 1) fits.sort((p, q) => off(p) - off(q));
  return n.orient = fits[0];
}
const T_ = yes => yes ? "ᵀ" : "";
OPS.matmul = {
  form: n => { const o = orient(n); return `${name(n.y)} = ${name(n.x[0])}${T_(o.ta)} ${name(n.x[1])}${T_(o.tb)}`; },
  why: ["A matrix product. Each element is the dot product of a row of the left side and a column of the right side.",
    "A number of the left side is a factor in a whole row of the result. Its gradient is the sum of the gradients there, each " +
    "times the other factor. The same is true of the right side."],
  rules(n) {
    const {ta, tb} = orient(n), [a, b] = n.x.map(name), g = d(n.y);
    return [`${d(n.x[0])} += ${ta ? `${b}${T_(tb)} (${g})ᵀ` : `${g} ${b}${T_(!tb)}`}`,
            `${d(n.x[1])} += ${tb ? `(${g})ᵀ ${a}${T_(ta)}` : `${a}${T_(!ta)} ${g}`}`];
  },
  left: (n, r, k) => orient(n).ta ? indexed(name(n.x[0]), n.x[0], k, r) : indexed(name(n.x[0]), n.x[0], r, k),
  right: (n, k, c) => orient(n).tb ? indexed(name(n.x[1]), n.x[1], c, k) : indexed(name(n.x[1]), n.x[1], k, c),
  make(n, i) {
    const {ta, tb, K, A, B} = orient(n), [a, b] = n.x, [r, c] = rc(n.y, i);
    const label = k => !ta && columnIsWord(a) ? ofColumn(a, k) : "";
    const s = sum(Array.from({length: K}, (_, k) => [label(k), val(a, A(r, k)), val(b, B(k, c))]));
    const row = ta ? ofColumn(a, r) : ofRow(a, r), column = tb ? ofRow(b, c) : ofColumn(b, c);
    const letter = indexLetter(n, (!ta && columnIsWord(a)) || (!tb && rowIsWord(b)));
    return worked(s, html => `Σ<sub>${letter}</sub> ${this.left(n, row, letter)}·${this.right(n, letter, column)} = ${html}`);
  },
  /* da(r, k) = Σ_j dy[r, j] b(k, j),   db(k, c) = Σ_i dy[i, c] a(i, k) */
  send(n, side, i) {
    const {ta, tb, A, B} = orient(n), [a, b] = n.x, y = n.y, [first, second] = rc(n.x[side], i);
    if (side === 0) {
      const [r, k] = ta ? [second, first] : [first, second], inner = tb ? ofColumn(b, k) : ofRow(b, k);
      const s = sum(rowOf(y, "g", r).map((g, j) => [columnIsWord(y) ? ofColumn(y, j) : "", g, val(b, B(k, j))]));
      const letter = indexLetter(n, columnIsWord(y));
      const left = `${y.C > 1 ? `Σ<sub>${letter}</sub> ` : ""}${indexed(d(y), y, ofRow(y, r), letter)}`;
      return worked(s, html => `${left}·${this.right(n, inner, letter)} = ${html}`);
    }
    const [k, c] = tb ? [second, first] : [first, second], inner = ta ? ofRow(a, k) : ofColumn(a, k);
    const s = sum(Array.from({length: y.R}, (_, r) => [wordOf(n, r * y.C), grd(y, r * y.C + c), val(a, A(r, k))]));
    const left = `${y.R > 1 ? "Σ<sub>i</sub> " : ""}${indexed(d(y), y, "i", ofColumn(y, c))}`;
    return worked(s, html => `${left}·${this.left(n, "i", inner)} = ${html}`);
  },
};

/* ---- softmax and normalization of rows ---- */

const dot = (a, b) => total(a.map((v, j) => v * b[j]));
OPS.softmax = {
  form: n => `${name(n.y)} = softmax(${name(n.x[0])})`,
  why: ["Turns scores into weights: e to the power of each score, divided by the sum. The weights are positive and sum to 1.",
    "Every weight depends on every score: if one weight grows, the others shrink. So the gradient of a score depends on the " +
    "gradients of all weights."],
  rules: n => {
    const slope = (t, letter) => `∂<i>L</i>/∂${name(t)}<sub>${letter}</sub>`, a = letter => `${name(n.y)}<sub>${letter}</sub>`;
    return [`${slope(n.x[0], "i")} += ${a("i")} (${slope(n.y, "i")} − Σ<sub>j</sub> ${a("j")} ${slope(n.y, "j")})`];
  },
  derived: n => `By the quotient rule the derivatives are ${m(`∂${name(n.y)}<sub>j</sub>/∂${name(n.x[0])}<sub>i</sub>`)} =
    ${m(`${name(n.y)}<sub>i</sub> (1 − ${name(n.y)}<sub>i</sub>)`)} for ${m("j = i")}, and
    ${m(`−${name(n.y)}<sub>i</sub> ${name(n.y)}<sub>j</sub>`)} otherwise. Multiply each by the gradient that arrives, and add:`,
  make(n, i) {
    const [r, c] = rc(n.y, i), powers = rowOf(n.x[0], "v", r).map(Math.exp), all = total(powers);
    return {html: `<i>e</i><sup>${num(val(n.x[0], i))}</sup> / Σ<sub>j</sub> <i>e</i><sup>${name(n.x[0])}<sub>j</sub></sup> = ` +
      `${num(powers[c])} / ${num(all)}`, value: powers[c] / all};
  },
  send(n, k, i) {
    const [r, c] = rc(n.y, i), a = rowOf(n.y, "v", r), g = rowOf(n.y, "g", r), mean = dot(a, g);
    return {html: `${el(n.y, i)} · (${del(n.y, i)} − mean) = ${num(a[c])} · (${num(g[c])} − ${signed(mean)})`,
      value: a[c] * (g[c] - mean)};
  },
};
OPS.layer_norm = {
  form(n) {
    const scale = n.x[1] ? ` ⊙ ${name(n.x[1])}` : "", shift = n.x[2] ? ` + ${name(n.x[2])}` : "";
    return `${name(n.y)} = (${name(n.x[0])} − mean) / deviation${scale}${shift}`;
  },
  why: ["Gives each row the mean 0 and the standard deviation 1 (this is x̂), then applies a learned scale and shift.",
    "The parts of the gradient that would only change the mean or the deviation of a row are removed."],
  rules: n => [`${d(n.x[0])} += (g − mean g − x̂ · mean(g x̂)) / deviation,  g = ${d(n.y)} ⊙ ${n.x[1] ? name(n.x[1]) : 1}`,
    n.x[1] && `${d(n.x[1])} += Σ<sub>rows</sub> ${d(n.y)} ⊙ x̂`, n.x[2] && `${d(n.x[2])} += Σ<sub>rows</sub> ${d(n.y)}`],
  row(n, r) {
    const x = rowOf(n.x[0], "v", r), mean = total(x) / x.length;
    const deviation = Math.sqrt(total(x.map(v => (v - mean) ** 2)) / x.length + 1e-5);
    return {mean, deviation, hat: x.map(v => (v - mean) / deviation)};
  },
  make(n, i) {
    const [r, c] = rc(n.y, i), q = this.row(n, r), w = n.x[1] ? val(n.x[1], c) : 1, b = n.x[2] ? val(n.x[2], c) : 0;
    return {html: `(${num(val(n.x[0], i))} − ${signed(q.mean)}) / ${num(q.deviation)} · ${signed(w)} + ${signed(b)}`,
      value: q.hat[c] * w + b};
  },
  send(n, k, i) {
    const y = n.y, rows = Array.from({length: y.R}, (_, r) => r);
    if (k === 1) return worked(sum(rows.map(r => [wordOf(n, r * y.C), grd(y, r * y.C + i), this.row(n, r).hat[i]])));
    if (k === 2) return worked(sum(rows.map(r => [wordOf(n, r * y.C), grd(y, r * y.C + i)])));
    const [r, c] = rc(y, i), q = this.row(n, r), g = rowOf(y, "g", r).map((v, j) => v * (n.x[1] ? val(n.x[1], j) : 1));
    const mean = total(g) / g.length, along = dot(g, q.hat) / g.length;
    return {html: `(${num(g[c])} − ${signed(mean)} − ${signed(q.hat[c])}·${signed(along)}) / ${num(q.deviation)}`,
      value: (g[c] - mean - q.hat[c] * along) / q.deviation};
  },
};
OPS.l2_normalize = {
  form: n => `${name(n.y)} = ${name(n.x[0])} / |${name(n.x[0])}|`,
  why: ["Scales each row to length 1, so only its direction counts.", "The part of the gradient that would only change the length is removed."],
  rules: n => [`${d(n.x[0])} += (${d(n.y)} − ${name(n.y)} (${name(n.y)}·${d(n.y)})) / |${name(n.x[0])}|`],
  make(n, i) {
    const length = Math.hypot(...rowOf(n.x[0], "v", rc(n.y, i)[0]));
    return {html: `${signed(val(n.x[0], i))} / ${num(length)}`, value: val(n.x[0], i) / length};
  },
  send(n, k, i) {
    const [r, c] = rc(n.y, i), y = rowOf(n.y, "v", r), g = rowOf(n.y, "g", r), along = dot(y, g);
    const length = Math.hypot(...rowOf(n.x[0], "v", r));
    return {html: `(${num(g[c])} − ${signed(y[c])}·${signed(along)}) / ${num(length)}`, value: (g[c] - y[c] * along) / length};
  },
};

/* ---- slices, and other operators that only move numbers ---- */

/* Which part of x a slice is. Its word tells, or else its numbers; if rows of words are equal, their gradients. map(i) is the index in
 * x of element i of the slice; inside(i) is the index in the slice of element i of x, or -1. */
function partOf(n) {
  if (n.part) return n.part;
  const x = n.x[0], y = n.y, byColumn = x.C !== y.C, here = wordNow(n);
  const mapFrom = start => i => { const [r, c] = rc(y, i); return byColumn ? r * x.C + c + start : (r + start) * x.C + c; };
  const same = (start, key) => y[key].every((v, i) => v === x[key][mapFrom(start)(i)]);
  let start;
  if (here >= 0 && rowIsWord(x) && y.R === 1 && !byColumn) start = here;
  else if (x.whole && y.whole) {
    const starts = Array.from({length: (byColumn ? x.C - y.C : x.R - y.R) + 1}, (_, s) => s).filter(s => same(s, "v"));
    start = starts.find(s => y.g && x.g && same(s, "g")) ?? starts[0];
  } else start = total(x.readers.filter(([q]) => q.op === "slice" && q.id < n.id).map(([q]) => q.y.R)); /* slices follow each other */
  const inside = i => {
    const [p, q] = rc(x, i), r = p - (byColumn ? 0 : start), c = q - (byColumn ? start : 0);
    return r >= 0 && c >= 0 && r < y.R && c < y.C ? r * y.C + c : -1;
  };
  return n.part = {start, end: start + (byColumn ? y.C : y.R) - 1, byColumn, map: mapFrom(start), inside};
}
OPS.slice = {
  form(n) {
    const {start, end, byColumn} = partOf(n);
    const of = byColumn ? String : k => ofRow(n.x[0], k);
    return `${name(n.y)} = ${name(n.x[0])}[${byColumn ? ":, " : ""}${start === end ? of(start) : `${of(start)} … ${of(end)}`}]`;
  },
  why: ["Copies a part of the numbers.", "The gradient goes to the numbers that were copied; the others get nothing from here."],
  rules: n => [`${d(n.x[0])}[this part] += ${d(n.y)}`],
  make(n, i) {
    const at = partOf(n).map(i), value = val(n.x[0], at);
    return value === undefined ? undefined : {html: el(n.x[0], at), value};
  },
  send(n, k, i) {
    const at = partOf(n).inside(i), value = at < 0 ? 0 : grd(n.y, at);
    return value === undefined ? undefined : {html: at < 0 ? "0, it is not in this slice" : del(n.y, at), value};
  },
};
/* For each input of a concat, a function from an index in it to the index in the result. */
function joins(n) {
  const byColumn = n.x.every(x => x.R === n.y.R) && total(n.x.map(x => x.C)) === n.y.C;
  let next = 0;
  return n.x.map(x => {
    const from = next;
    next += byColumn ? x.C : x.R;
    return i => byColumn ? rc(x, i)[0] * n.y.C + from + rc(x, i)[1] : i + from * n.y.C;
  });
}
OPS.concat = {
  form(n) {
    const names = n.x.map(name);
    return `${name(n.y)} = [${(names.length > 4 ? [names[0], names[1], "…", names[names.length - 1]] : names).join(", ")}]`;
  },
  why: ["Puts matrices side by side, or one below the other.", "Each gets its own part of the gradient."],
  rules: n => n.x.map(x => `${d(x)} += its part of ${d(n.y)}`),
  make(n, i) {
    const places = joins(n);
    for (const [k, x] of n.x.entries())
      for (let j = 0; j < x.size; j++) if (places[k](j) === i) return {html: el(x, j), value: val(x, j)};
    return undefined;
  },
  send(n, k, i) { const at = joins(n)[k](i); return {html: del(n.y, at), value: grd(n.y, at)}; },
};
OPS.reshape = {
  form: n => `${name(n.y)} = ${name(n.x[0])} as ${shape(n.y)}`,
  why: ["The same numbers in another shape.", "The gradient gets the old shape."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)} as ${shape(n.x[0])}`],
  make: (n, i) => ({html: el(n.x[0], i), value: val(n.x[0], i)}),
  send: (n, k, i) => ({html: del(n.y, i), value: grd(n.y, i)}),
};
const flips = n => n.x[0].R === n.y.C && n.x[0].C === n.y.R; /* of other permutations the page shows no single numbers */
const flipped = (t, i) => { const [r, c] = rc(t, i); return c * t.R + r; };
OPS.permute = {
  form: n => `${name(n.y)} = ${name(n.x[0])}ᵀ`,
  why: ["Rows become columns.", "The columns of the gradient become rows again."],
  rules: n => [`${d(n.x[0])} += (${d(n.y)})ᵀ`],
  make(n, i) { const at = flipped(n.y, i); return flips(n) ? {html: el(n.x[0], at), value: val(n.x[0], at)} : undefined; },
  send(n, k, i) { const at = flipped(n.x[0], i); return flips(n) ? {html: del(n.y, at), value: grd(n.y, at)} : undefined; },
};
N.filter(n => n.op === "permute" && flips(n) && !n.y.axes).forEach(n => {
  n.y.axes = (n.x[0].axes & ROWS_ARE_WORDS ? COLUMNS_ARE_WORDS : 0) | (n.x[0].axes & COLUMNS_ARE_WORDS ? ROWS_ARE_WORDS : 0);
});

const looksUp = n => n.y.R === D.words.length && D.ids.length === n.y.R && (rowIsWord(n.y) || n.path[0] === "embedding");
N.filter(n => n.op === "gather" && looksUp(n)).forEach(n => n.x[0].table = true); /* its rows are the words' vectors */
OPS.gather = {
  form: n => `${name(n.y)} = rows of ${name(n.x[0])}`,
  why: ["Looks up the vector of each word: a row of a table of numbers.",
    "The gradient of a word's vector is added to its row of the table. This is how a word learns. Words that are not in the " +
    "text get no gradient."],
  rules: n => [`${d(n.x[0])}[row of the word] += ${d(n.y)}[the word]`],
  lacks: (n, k) => k === undefined && n.x[0].table
    ? `The page has only the row of “${ofRow(n.x[0], n.x[0].row)}” in ${m(name(n.x[0]))}. Click that word's row to see where it comes from.` : "",
  make(n, i) {
    if (!looksUp(n)) return undefined;
    const [r, c] = rc(n.y, i), at = D.ids[r] * n.x[0].C + c, value = val(n.x[0], at);
    return value === undefined ? undefined : {html: el(n.x[0], at), value};
  },
  send(n, k, i) {
    if (!looksUp(n)) return undefined;
    const [r, c] = rc(n.x[0], i), read = D.words.map((_, t) => t).filter(t => D.ids[t] === r);
    return worked(sum(read.map(t => [esc(word(t)), grd(n.y, t * n.y.C + c)])));
  },
};

/* ---- reductions, over each row or over all numbers ---- */

const groupSize = n => n.x[0].size / n.y.size;
const group = (n, i) => Array.from({length: groupSize(n)}, (_, k) => i * groupSize(n) + k);
const ofWhat = n => n.y.size === 1 ? name(n.x[0]) : `each row of ${name(n.x[0])}`;
function reduction({title, why, weight, over}) { /* weight(count): the factor of each number; over: the same as text */
  return {
    form: n => `${name(n.y)} = ${title} of ${ofWhat(n)}`, why,
    rules: n => [`${d(n.x[0])} += ${d(n.y)}${over(groupSize(n))}, for each of them`],
    make(n, i) {
      const x = n.x[0], w = weight(groupSize(n));
      const s = sum(group(n, i).map(k => [columnIsWord(x) ? ofColumn(x, rc(x, k)[1]) : "", val(x, k)]));
      return s && {html: w === 1 ? s.html : `1/${groupSize(n)} · (${s.html})`, value: s.value * w, mass: s.mass * w};
    },
    send(n, k, i) {
      const at = Math.floor(i / groupSize(n)), text = over(groupSize(n));
      return {html: `${del(n.y, at)}${text && `${text} = ${num(grd(n.y, at))}${text}`}`, value: grd(n.y, at) * weight(groupSize(n))};
    },
  };
}
OPS.sum = reduction({title: "the sum", weight: () => 1, over: () => "",
  why: ["Adds all numbers.", "Each of them gets the gradient that arrives, unchanged."]});
OPS.mean = reduction({title: "the mean", weight: count => 1 / count, over: count => ` / ${count}`,
  why: ["Adds all numbers and divides by their count.", "Each of them gets the gradient that arrives, divided by the count."]});
OPS.max = {
  form: n => `${name(n.y)} = the largest of ${ofWhat(n)}`,
  why: ["The largest number of each row.", "Only the largest gets the gradient. A small change of another number would not change the result."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)} at the largest, 0 elsewhere`],
  make(n, i) {
    const all = group(n, i), at = all[argmax(all.length, j => val(n.x[0], all[j]))];
    return {html: `the largest of ${all.length}: ${el(n.x[0], at)}`, value: val(n.x[0], at)};
  },
  send(n, k, i) {
    const at = Math.floor(i / groupSize(n)), values = group(n, at).map(j => val(n.x[0], j)), top = Math.max(...values);
    const ties = values.filter(v => v === top).length;
    if (val(n.x[0], i) !== top) return {html: "0, it is not the largest", value: 0};
    return {html: del(n.y, at) + (ties > 1 ? ` / ${ties}` : ""), value: grd(n.y, at) / ties};
  },
};

/* ---- losses ---- */

const chances = n => {
  const z = rowOf(n.x[0], "v", 0), top = Math.max(...z), powers = z.map(v => Math.exp(v - top)), all = total(powers);
  return powers.map(v => v / all);
};
const truth = n => D.label >= 0 ? D.label : argmax(n.x[0].C, c => -grd(n.x[0], c));
OPS.cross_entropy = {
  form: n => `${name(n.y)} = −log p[label],  p = softmax(${name(n.x[0])})`,
  why: ["The loss is −log of the probability that the network gives to the right label.",
    "The gradient of each logit is its probability, minus 1 for the label. A step against it raises the logit of the label and " +
    "lowers all others."],
  rules: n => [`${d(n.x[0])} += p − 1 for the label, p for the others`],
  derived: n => `${m(name(n.y))} is ${m(`log Σ<sub>c</sub> <i>e</i><sup>${name(n.x[0])}<sub>c</sub></sup>`)} minus the label's
    own ${m(name(n.x[0]))}. The derivative of the first is ${m("<i>e</i>")} to the power of the logit divided by the sum, which is ${m("p")}.
    The derivative of the second is 1:`,
  make(n) {
    if (n.x[0].R !== 1) return undefined;
    const p = chances(n)[truth(n)];
    return {html: `−log ${num(p)}`, value: -Math.log(p)};
  },
  send(n, k, i) {
    if (n.x[0].R !== 1) return undefined;
    const p = chances(n)[i], hit = i === truth(n) ? 1 : 0;
    return {html: hit ? `${num(p)} − 1` : "p", value: (p - hit) * grd(n.y, 0)};
  },
};
OPS.mean_squared_error = {
  form: n => `${name(n.y)} = mean of (${name(n.x[0])} − ${name(n.x[1])})²`,
  why: ["The mean of the squared differences.", "The derivative is twice the difference, divided by the count."],
  rules(n) {
    const [a, b] = n.x.map(name), slope = `2(${a} − ${b}) / ${n.x[0].size}`;
    return [`${d(n.x[0])} += ${slope}`, `${d(n.x[1])} −= ${slope}`];
  },
  send(n, k, i) {
    const [a, b] = n.x.map(x => val(x, i)), size = n.x[0].size;
    return {html: `${k ? "−" : ""}2·(${num(a)} − ${signed(b)}) / ${size}`, value: (k ? -2 : 2) * (a - b) / size * grd(n.y, 0)};
  },
};

/* ---- operators for which the page shows only the rule ---- */

const plain = ({form, why, rule}) => ({form: n => `${name(n.y)} = ${form(n)}`, why, rules: n => n.x.map(x => x && rule(n, x))});
OPS.affine = plain({
  form: n => `scale · ${name(n.x[0])} + shift`, rule: (n, x) => `${d(x)} += scale · ${d(n.y)}`,
  why: ["Applies a fixed scale and a fixed shift.", "The derivative is the scale."],
});
OPS.gelu = plain({
  form: n => `${name(n.x[0])} Φ(${name(n.x[0])})`, rule: (n, x) => `${d(x)} += ${d(n.y)} ⊙ (Φ(x) + x φ(x))`,
  why: ["A smooth relu: x times the probability that a standard normal variable is below x.", "Φ is that probability, and φ the density."],
});
OPS.where = plain({
  form: () => "one or the other, by a mask", rule: (n, x) => `${d(x)} += ${d(n.y)} where the mask chose it`,
  why: ["A mask chooses each number from one of two tensors.", "The chosen number gets the gradient."],
});
OPS.dropout = plain({
  form: n => `${name(n.x[0])}, with some numbers 0`, rule: (n, x) => `${d(x)} += ${d(n.y)} / (1 − p) if it was not dropped`,
  why: ["In training it sets random numbers to 0, so the network cannot rely on any single one.",
    "A dropped number gets no gradient."],
});
OPS.logsumexp = plain({
  form: n => `log Σ exp(${name(n.x[0])})`, rule: (n, x) => `${d(x)} += ${d(n.y)} softmax(${name(x)})`,
  why: ["A smooth maximum.", "The derivative is softmax."],
});
OPS.log_softmax = plain({
  form: n => `log softmax(${name(n.x[0])})`, rule: (n, x) => `${d(x)} += ${d(n.y)} − softmax(${name(x)}) Σ ${d(n.y)}`,
  why: ["The logarithm of softmax.", "As with softmax, the part of the gradient that is the same for all scores is removed."],
});
const unknown = plain({
  form: n => `${esc(n.op)}(${n.x.filter(Boolean).map(name).join(", ")})`, rule: (n, x) => `${d(x)} += what ${esc(n.op)} sends back`,
  why: ["An operator that this page does not know.", "Its backward function has the rule."],
});
const opOf = n => OPS[n.op] || unknown;
