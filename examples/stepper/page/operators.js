/* Operators: what they compute, and what they send back. Of each, as HTML:
 *
 *   form(n)        the formula
 *   why            two sentences: what it is for, and what its backward step means
 *   rules(n)       of each input, what is added to its gradient
 *   derived(n)     where the rule comes from, if that takes a sentence
 *   make(n, i)     element i of the result, worked out: {html, value, mass}
 *   send(n, k, i)  what is added to the gradient of element i of input k, worked out
 *
 * make and send give undefined where the page lacks a number of it; lacks(n, k) then says what there is: of the result (k is
 * undefined), or of input k. mass is the sum of all magnitudes that were added up. */

const OPS = {};

/* ---- element by element ---- */

/* The element of an operand that element [r, c] of the result is made of: an axis of size 1 is stretched. */
const stretched = (t, r, c) => (t.R === 1 ? 0 : r) * t.C + (t.C === 1 ? 0 : c);
/* And the elements of the result that are made of element i of input k. */
function madeOf(n, k, i) {
  const t = n.x[k], y = n.y, [r, c] = rc(t, i), found = [];
  for (let p = t.R === 1 ? 0 : r; p < (t.R === 1 ? y.R : r + 1); p++)
    for (let q = t.C === 1 ? 0 : c; q < (t.C === 1 ? y.C : c + 1); q++) found.push(p * y.C + q);
  return found;
}
/* The word whose row element i of the result stands in. */
const wordOf = (n, i) => n.y.R > 1 && rowIsWord(n.y) ? ofRow(n.y, rc(n.y, i)[0]) : "";

/* slope(k, a, b) is dy/d(operand k); slopeText(k, n) says so in letters, "" where it is 1. */
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
  why: ["Element by element.", "Backward, a sum is a fork: what arrives is handed to both sides as it is."],
  rules: n => n.x.map(x => `${d(x)} += ${d(n.y)}`),
});
OPS.sub = binary({
  sign: "−", f: (a, b) => a - b, slope: k => k ? -1 : 1, slopeText: k => k ? "(−1)" : "",
  why: ["Element by element.", "The left side gets what arrives, the right side its negative."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)}`, `${d(n.x[1])} −= ${d(n.y)}`],
});
OPS.mul = binary({
  sign: "⊙", dot: "·", f: (a, b) => a * b, slope: (k, a, b) => k ? a : b, slopeText: (k, n) => name(n.x[1 - k]),
  why: ["Element by element: one side is a gate, which lets a share of the other through.",
    "The slope toward each side is the other side. Where a gate is shut (near 0), hardly anything goes back through it."],
  rules: n => n.x.map((x, k) => `${d(x)} += ${d(n.y)} ⊙ ${name(n.x[1 - k])}`),
});
OPS.div = binary({
  sign: "/", f: (a, b) => a / b, slope: (k, a, b) => k ? -a / (b * b) : 1 / b,
  slopeText: (k, n) => k ? `(−${name(n.x[0])}/${name(n.x[1])}²)` : `1/${name(n.x[1])}`,
  why: ["Element by element.", "The slope is 1/b to the left, −a/b² to the right."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)} / ${name(n.x[1])}`, `${d(n.x[1])} −= ${d(n.y)} ⊙ ${name(n.y)} / ${name(n.x[1])}`],
});
OPS.maximum = binary({
  sign: "max", f: Math.max, slope: (k, a, b) => a === b ? 0.5 : (a > b) === (k === 0) ? 1 : 0,
  slopeText: (k, n) => `[${name(n.x[k])} is larger]`,
  why: ["The larger of both.", "What arrives goes to the larger one."],
  rules: n => n.x.map(x => `${d(x)} += ${d(n.y)} where ${name(x)} is larger`),
});

/* slope(x, y) is dy/dx; slopeText(n) says so in letters, slopeNumbers(x, y) in numbers. */
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
  why: ["Squeezes any number into 0 … 1, as a gate wants it.",
    "The slope y(1 − y) is at most ¼, and nearly 0 where the gate is wide open or shut: there the gradient fades."],
});
OPS.tanh = unary({
  show: x => `tanh ${x}`, f: Math.tanh, slope: (x, y) => 1 - y * y,
  slopeText: n => `(1 − ${name(n.y)}²)`, slopeNumbers: (x, y) => `(1 − ${signed(y)}²)`,
  why: ["Squeezes any number into −1 … 1.", "The slope 1 − y² is 1 in the middle and fades toward both ends."],
});
OPS.relu = unary({
  show: x => `relu(${x})`, f: x => Math.max(x, 0), slope: x => x > 0 ? 1 : 0,
  slopeText: n => `[${name(n.x[0])} &gt; 0]`, slopeNumbers: x => x > 0 ? "1" : "0",
  why: ["Negative numbers become 0.", "Where it let a number through, the gradient goes through, too: the slope is 1 there, else 0."],
});
OPS.exp = unary({
  show: x => `exp(${x})`, f: Math.exp, slope: (x, y) => y, slopeText: n => name(n.y), slopeNumbers: (x, y) => num(y),
  why: ["e to that power.", "The slope is the value itself."],
});
OPS.log = unary({
  show: x => `log(${x})`, f: Math.log, slope: x => 1 / x, slopeText: n => `1/${name(n.x[0])}`, slopeNumbers: x => `1/${signed(x)}`,
  why: ["The natural logarithm.", "The slope is 1/x."],
});
OPS.sqrt = unary({
  show: x => `√${x}`, f: Math.sqrt, slope: (x, y) => 1 / (2 * y),
  slopeText: n => `1/(2${name(n.y)})`, slopeNumbers: (x, y) => `1/(2·${num(y)})`,
  why: ["The square root.", "The slope is 1/(2√x): the smaller the number, the steeper."],
});
OPS.square = unary({
  show: x => `(${x})²`, f: x => x * x, slope: x => 2 * x, slopeText: n => `2${name(n.x[0])}`, slopeNumbers: x => `2·${signed(x)}`,
  why: ["Each number by itself.", "The slope is 2x."],
});
OPS.neg = unary({
  show: x => `−${x}`, f: x => -x, slope: () => -1, slopeText: () => "(−1)", slopeNumbers: () => "(−1)",
  why: ["The sign turns.", "The sign turns on the way back, too."],
});

/* ---- products ---- */

OPS.linear = {
  form: n => `${name(n.y)} = ${name(n.x[0])} ${name(n.x[1])}ᵀ${n.x[2] ? ` + ${name(n.x[2])}` : ""}`,
  why: ["Every output is a weighted sum of all inputs: row j of the matrix holds the weights of output j.",
    "An input collects from every output that it went into, by the same weights. A weight gets what arrives at its output, " +
    "times the input that it multiplied."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)} ${name(n.x[1])}`, `${d(n.x[1])} += (${d(n.y)})ᵀ ${name(n.x[0])}`,
    n.x[2] && `${d(n.x[2])} += ${d(n.y)}${n.y.R > 1 ? ", summed over rows" : ""}`],
  lacks: (n, k) => k ? "" : k === undefined
    ? `Of ${m(name(n.x[1]))} the page has row ${n.x[1].row}: click cell ${n.x[1].row} to see it worked out.`
    : `Of ${m(name(n.x[1]))} the page has column ${n.x[1].column}: click cell ${n.x[1].column} to see it worked out.`,
  make(n, i) {
    const [x, w, b] = n.x, [r, j] = rc(n.y, i), s = sum(rowOf(x, "v", r).map((v, k) => ["", v, val(w, j * w.C + k)]));
    const left = `Σ<sub>k</sub> ${indexed(name(x), x, ofRow(x, r), "k")}·${indexed(name(w), w, j, "k")}`;
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

/* y [R, C] = a b, either of them as it is or transposed: which, the shapes tell, or else the numbers do. Of this reading: the
 * size K of the axis that is summed over, and A(r, k) and B(k, c), where those elements stand in a and b. */
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
  why: ["A matrix product: rows of the left by columns of the right, multiplied and added up.",
    "A number of the left side went into a row of the result, each time multiplied by a number of the right side: it " +
    "collects what arrives there, by the same numbers. The same holds the other way round."],
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
    return worked(s, html => `Σ<sub>k</sub> ${this.left(n, row, "k")}·${this.right(n, "k", column)} = ${html}`);
  },
  /* da(r, k) = Σ_j dy[r, j] b(k, j),   db(k, c) = Σ_i dy[i, c] a(i, k) */
  send(n, side, i) {
    const {ta, tb, A, B} = orient(n), [a, b] = n.x, y = n.y, [first, second] = rc(n.x[side], i);
    if (side === 0) {
      const [r, k] = ta ? [second, first] : [first, second], inner = tb ? ofColumn(b, k) : ofRow(b, k);
      const s = sum(rowOf(y, "g", r).map((g, j) => [columnIsWord(y) ? ofColumn(y, j) : "", g, val(b, B(k, j))]));
      const left = `${y.C > 1 ? "Σ<sub>j</sub> " : ""}${indexed(d(y), y, ofRow(y, r), "j")}`;
      return worked(s, html => `${left}·${this.right(n, inner, "j")} = ${html}`);
    }
    const [k, c] = tb ? [second, first] : [first, second], inner = ta ? ofRow(a, k) : ofColumn(a, k);
    const s = sum(Array.from({length: y.R}, (_, r) => [wordOf(n, r * y.C), grd(y, r * y.C + c), val(a, A(r, k))]));
    const left = `${y.R > 1 ? "Σ<sub>i</sub> " : ""}${indexed(d(y), y, "i", ofColumn(y, c))}`;
    return worked(s, html => `${left}·${this.left(n, "i", inner)} = ${html}`);
  },
};

/* ---- rows that become shares, and rows made alike ---- */

const dot = (a, b) => total(a.map((v, j) => v * b[j]));
OPS.softmax = {
  form: n => `${name(n.y)} = softmax(${name(n.x[0])})`,
  why: ["Scores become shares: e to the score, divided by the sum, so that the shares are positive and sum to 1.",
    "Every share depends on every score: more for one is less for all others. So the gradient of a score is not just its " +
    "own share's."],
  rules: n => {
    const slope = (t, letter) => `∂<i>L</i>/∂${name(t)}<sub>${letter}</sub>`, a = letter => `${name(n.y)}<sub>${letter}</sub>`;
    return [`${slope(n.x[0], "i")} += ${a("i")} (${slope(n.y, "i")} − Σ<sub>j</sub> ${a("j")} ${slope(n.y, "j")})`];
  },
  derived: n => `By the quotient rule the slopes are ${m(`∂${name(n.y)}<sub>j</sub>/∂${name(n.x[0])}<sub>i</sub>`)} =
    ${m(`${name(n.y)}<sub>i</sub> (1 − ${name(n.y)}<sub>i</sub>)`)} for ${m("j = i")}, and
    ${m(`−${name(n.y)}<sub>i</sub> ${name(n.y)}<sub>j</sub>`)} for the others; times what arrives at each, and added up:`,
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
  why: ["Each row gets the mean 0 and the deviation 1, then a learned scale and shift. x̂ is the row before those.",
    "Whatever would only change the row's mean or deviation is taken out."],
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
  why: ["Each row gets the length 1: only its direction counts.", "What would only change its length is taken out."],
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

/* ---- parts, and numbers that change their place ---- */

/* Which part of x a slice is: its word tells, or else its numbers do, and where rows of words are alike, their gradients.
 * map(i): where element i of the part stands in x; inside(i): where element i of x stands in the part, or -1. */
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
  } else start = total(x.readers.filter(([q]) => q.op === "slice" && q.id < n.id).map(([q]) => q.y.R)); /* one after the other */
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
  why: ["A part of the numbers, copied.", "What comes back goes to where the numbers were taken from; the rest gets nothing from here."],
  rules: n => [`${d(n.x[0])}[that part] += ${d(n.y)}`],
  make(n, i) {
    const at = partOf(n).map(i), value = val(n.x[0], at);
    return value === undefined ? undefined : {html: el(n.x[0], at), value};
  },
  send(n, k, i) {
    const at = partOf(n).inside(i), value = at < 0 ? 0 : grd(n.y, at);
    return value === undefined ? undefined : {html: at < 0 ? "it is not in this part" : del(n.y, at), value};
  },
};
/* Of each input of a concat, where its element i stands in the result. */
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
  why: ["Puts matrices side by side, or one below the other.", "Each gets its own part back."],
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
  why: ["The same numbers in another shape.", "And back."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)} as ${shape(n.x[0])}`],
  make: (n, i) => ({html: el(n.x[0], i), value: val(n.x[0], i)}),
  send: (n, k, i) => ({html: del(n.y, i), value: grd(n.y, i)}),
};
const flips = n => n.x[0].R === n.y.C && n.x[0].C === n.y.R; /* other permutations are not followed number by number */
const flipped = (t, i) => { const [r, c] = rc(t, i); return c * t.R + r; };
OPS.permute = {
  form: n => `${name(n.y)} = ${name(n.x[0])}ᵀ`,
  why: ["Rows become columns.", "And back."],
  rules: n => [`${d(n.x[0])} += (${d(n.y)})ᵀ`],
  make(n, i) { const at = flipped(n.y, i); return flips(n) ? {html: el(n.x[0], at), value: val(n.x[0], at)} : undefined; },
  send(n, k, i) { const at = flipped(n.x[0], i); return flips(n) ? {html: del(n.y, at), value: grd(n.y, at)} : undefined; },
};
N.filter(n => n.op === "permute" && flips(n) && !n.y.axes).forEach(n => {
  n.y.axes = (n.x[0].axes & ROWS_ARE_WORDS ? COLUMNS_ARE_WORDS : 0) | (n.x[0].axes & COLUMNS_ARE_WORDS ? ROWS_ARE_WORDS : 0);
});

const looksUp = n => n.y.R === D.words.length && D.ids.length === n.y.R && (rowIsWord(n.y) || n.path[0] === "embedding");
N.filter(n => n.op === "gather" && looksUp(n)).forEach(n => n.x[0].table = true); /* whose rows are words' vectors */
OPS.gather = {
  form: n => `${name(n.y)} = rows of ${name(n.x[0])}`,
  why: ["Each word is a row of a table of numbers: its vector.",
    "The gradient of a word's vector is added to its row of the table: this is how a word learns. Words that do not stand " +
    "here get none."],
  rules: n => [`${d(n.x[0])}[row of the word] += ${d(n.y)}[the word]`],
  lacks: (n, k) => k === undefined && n.x[0].table
    ? `Of ${m(name(n.x[0]))} the page has the row of “${ofRow(n.x[0], n.x[0].row)}”: click there to see where it comes from.` : "",
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

/* ---- reductions: of runs of numbers that follow each other, rows or all there are ---- */

const runLength = n => n.x[0].size / n.y.size;
const run = (n, i) => Array.from({length: runLength(n)}, (_, k) => i * runLength(n) + k);
const ofWhat = n => n.y.size === 1 ? name(n.x[0]) : `each row of ${name(n.x[0])}`;
function reduction({title, why, weight, over}) { /* weight(count): what each number counts; over: the same in letters */
  return {
    form: n => `${name(n.y)} = ${title} of ${ofWhat(n)}`, why,
    rules: n => [`${d(n.x[0])} += ${d(n.y)}${over(runLength(n))}, for all of them`],
    make(n, i) {
      const x = n.x[0], w = weight(runLength(n));
      const s = sum(run(n, i).map(k => [columnIsWord(x) ? ofColumn(x, rc(x, k)[1]) : "", val(x, k)]));
      return s && {html: w === 1 ? s.html : `1/${runLength(n)} · (${s.html})`, value: s.value * w, mass: s.mass * w};
    },
    send(n, k, i) {
      const at = Math.floor(i / runLength(n)), text = over(runLength(n));
      return {html: `${del(n.y, at)}${text && `${text} = ${num(grd(n.y, at))}${text}`}`, value: grd(n.y, at) * weight(runLength(n))};
    },
  };
}
OPS.sum = reduction({title: "the sum", weight: () => 1, over: () => "",
  why: ["Adds up.", "Every summand gets what arrives, as it is."]});
OPS.mean = reduction({title: "the mean", weight: count => 1 / count, over: count => ` / ${count}`,
  why: ["Adds up and divides by how many there are.", "Each of them gets its share of what arrives."]});
OPS.max = {
  form: n => `${name(n.y)} = the largest of ${ofWhat(n)}`,
  why: ["The largest of each row.", "Only the largest gets the gradient: the others, moved by a little, would not change the result."],
  rules: n => [`${d(n.x[0])} += ${d(n.y)} at the largest, 0 elsewhere`],
  make(n, i) {
    const all = run(n, i), at = all[most(all.length, j => val(n.x[0], all[j]))];
    return {html: `the largest of ${all.length}: ${el(n.x[0], at)}`, value: val(n.x[0], at)};
  },
  send(n, k, i) {
    const at = Math.floor(i / runLength(n)), values = run(n, at).map(j => val(n.x[0], j)), top = Math.max(...values);
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
const truth = n => D.label >= 0 ? D.label : most(n.x[0].C, c => -grd(n.x[0], c));
OPS.cross_entropy = {
  form: n => `${name(n.y)} = −log p[label],  p = softmax(${name(n.x[0])})`,
  why: ["How surprised the network is by the label: −log of the probability that it gave to it.",
    "Each logit gets its probability, minus 1 for the label: a step down the gradient pushes the label up by what it lacks, " +
    "and all others down by what they have."],
  rules: n => [`${d(n.x[0])} += p − 1 for the label, p for the others`],
  derived: n => `${m(name(n.y))} is ${m(`log Σ<sub>c</sub> <i>e</i><sup>${name(n.x[0])}<sub>c</sub></sup>`)} less the label's own
    ${m(name(n.x[0]))}. The slope of the first is ${m("<i>e</i>")} to the logit by the sum of all, and that is ${m("p")}; of the second
    it is 1:`,
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
  why: ["The mean of the squared differences.", "Twice the difference, by their number."],
  rules(n) {
    const [a, b] = n.x.map(name), slope = `2(${a} − ${b}) / ${n.x[0].size}`;
    return [`${d(n.x[0])} += ${slope}`, `${d(n.x[1])} −= ${slope}`];
  },
  send(n, k, i) {
    const [a, b] = n.x.map(x => val(x, i)), size = n.x[0].size;
    return {html: `${k ? "−" : ""}2·(${num(a)} − ${signed(b)}) / ${size}`, value: (k ? -2 : 2) * (a - b) / size * grd(n.y, 0)};
  },
};

/* ---- of these the page shows the rule, and does not work out numbers ---- */

const plain = ({form, why, rule}) => ({form: n => `${name(n.y)} = ${form(n)}`, why, rules: n => n.x.map(x => x && rule(n, x))});
OPS.affine = plain({
  form: n => `scale · ${name(n.x[0])} + shift`, rule: (n, x) => `${d(x)} += scale · ${d(n.y)}`,
  why: ["A fixed scale and a fixed shift.", "The slope is the scale."],
});
OPS.gelu = plain({
  form: n => `${name(n.x[0])} Φ(${name(n.x[0])})`, rule: (n, x) => `${d(x)} += ${d(n.y)} ⊙ (Φ(x) + x φ(x))`,
  why: ["A soft relu: x by the share of a normal distribution below it.", "Φ is that share, and φ the height of its bell."],
});
OPS.where = plain({
  form: () => "one or the other, by a mask", rule: (n, x) => `${d(x)} += ${d(n.y)} where it was chosen`,
  why: ["Numbers are chosen by a mask.", "What was chosen gets the gradient."],
});
OPS.dropout = plain({
  form: n => `${name(n.x[0])}, some of it 0`, rule: (n, x) => `${d(x)} += ${d(n.y)} / (1 − p) where it was kept`,
  why: ["In training a part of the numbers is left out by chance, so that none is relied upon.",
    "What was left out gets no gradient."],
});
OPS.logsumexp = plain({
  form: n => `log Σ exp(${name(n.x[0])})`, rule: (n, x) => `${d(x)} += ${d(n.y)} softmax(${name(x)})`,
  why: ["A soft maximum.", "The slope is a softmax."],
});
OPS.log_softmax = plain({
  form: n => `log softmax(${name(n.x[0])})`, rule: (n, x) => `${d(x)} += ${d(n.y)} − softmax(${name(x)}) Σ ${d(n.y)}`,
  why: ["The logarithm of the shares.", "As in softmax, what all of them share is taken out."],
});
const unknown = plain({
  form: n => `${esc(n.op)}(${n.x.filter(Boolean).map(name).join(", ")})`, rule: (n, x) => `${d(x)} += what ${esc(n.op)} sends back`,
  why: ["An operator of the program's own.", "Its rule is in its source."],
});
const opOf = n => OPS[n.op] || unknown;
