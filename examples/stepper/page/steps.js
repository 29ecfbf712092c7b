/* The steps, what each of them shows, and the map of the tape. */

/* ---- a sentence on each part of the network ---- */

const gate = (f, letter) => m(`<i>${letter}</i> = ${f}(<i>W x</i> + <i>b</i> + <i>U h</i> + <i>d</i>)`) +
  ", from the word and the state before it.";
const PARTS = {
  "embedding": "Each word becomes a vector.",
  "encoder": "Reads the vectors in order. The state at each word depends on the words around it.",
  "left to right": "An LSTM that reads from the first word to the last.",
  "right to left": "An LSTM that reads from the last word to the first.",
  "weights": "The library stores the weights of all four gates in one matrix. Here it is sliced, so that each gate is a step of " +
    "its own.",
  "input gate": "How much of the new content is added, 0 … 1: " + gate("σ", "i"),
  "forget gate": "How much of the memory is kept, 0 … 1: " + gate("σ", "f"),
  "candidate": "The new content, −1 … 1: " + gate("tanh", "g"),
  "output gate": "How much of the memory is output, 0 … 1: " + gate("σ", "o"),
  "memory": "The memory is a sum: what is kept of the old memory, and the new content. In the backward pass the gradient goes " +
    "from word to word through the forget gate alone. That is why an LSTM can remember over many words.",
  "state": "The output of the LSTM for this word. The gates of the next word read it, too.",
  "attention": "One vector for the whole text. Each word gets a score, the scores become weights, and the words' vectors are added, " +
    "each times its weight.",
  "self-attention": "Each word attends to all words.",
  "feed-forward": "Each word alone passes through a wider layer.",
  "max pool": "The largest value of each feature over all words.",
  "bag": "A bag of words and of short sequences of words (n-grams).",
  "classify": "Turns the vector of the text into a number for each label.",
  "loss": "How wrong the answer is, as one number.",
};
const tellsOf = n => PARTS[n.path.slice().reverse().find(p => PARTS[p])] || "";
const wordNumber = p => { const found = /^word (\d+)$/.exec(p); return found ? found[1] - 1 : -1; };
const wordNow = n => { const p = n.path.find(q => wordNumber(q) >= 0); return p ? wordNumber(p) : -1; };
const scopeName = p => D.words[wordNumber(p)] === undefined ? p : `${p} “${word(wordNumber(p))}”`;

/* ---- the steps ---- */

const steps = [{kind: "start"}, ...N.map(n => ({kind: "f", n})), {kind: "turn"},
  ...N.slice().reverse().filter(n => n.y.hasGrad).map(n => ({kind: "b", n})), {kind: "update"}];
const stepAt = (kind, id) => steps.findIndex(s => s.kind === kind && (!s.n || s.n.id === id));
const hashOf = s => "#" + s.kind + (s.n ? s.n.id : "");

/* A step is a repeat if two words, one head or one slice of the weights have done the same before. */
{
  const seen = {};
  for (const s of steps.filter(q => q.n)) {
    const path = s.n.path, weights = path.includes("weights"), at = path.findIndex(p => /^(word|head) \d+$/.test(p));
    if (at < 0 && !weights) continue;
    const kind = s.kind + (weights ? path.join("/") : path.slice(0, at).join("/") + path[at].slice(0, 4));
    const member = weights ? s.n.id : path[at], members = seen[kind] = seen[kind] || [];
    if (!members.includes(member)) members.push(member);
    s.repeat = members.indexOf(member) >= (weights || path[at].startsWith("head") || path.includes("right to left") ? 1 : 2);
  }
}
const state = {step: 0, sel: null}; /* sel: the number that was selected by a click, {t, i} */
const isSkipped = s => s.repeat && byId("tour").checked;
/* The steps of the tour, and the current one, even if it is a repeat. */
const tour = () => steps.map((_, k) => k).filter(k => !isSkipped(steps[k]) || k === state.step);

function move(by) {
  const stops = tour();
  go(stops[stops.indexOf(state.step) + by]);
}
/* Goes to the next part, or back to the start of this part or the previous one. */
function moveGroup(by) {
  const groupOf = k => steps[k].kind + (steps[k].n ? steps[k].n.path.slice(0, 3).join("/") : "");
  const stops = tour(), here = stops.indexOf(state.step);
  let to = here + by;
  if (by > 0) while (to < stops.length - 1 && groupOf(stops[to]) === groupOf(state.step)) to++;
  else while (to > 0 && groupOf(stops[to - 1]) === groupOf(stops[to])) to--;
  go(stops[to]);
}
function go(to) {
  if (to === undefined) return;
  state.sel = null;
  state.step = to;
  clearTimeout(go.timer); /* browsers limit how often the address may change */
  go.timer = setTimeout(() => {
    const hash = hashOf(steps[state.step]);
    if (location.hash !== hash) history.replaceState(null, "", hash);
  }, 250);
  show(false);
}
function choose(t, i) {
  state.sel = {t, i};
  show(true);
}
const link = (kind, n, text) => `<a href="#${kind}${n.id}">${text}</a>`;

/* Operators whose result has its elements in other positions than their operands. */
const MOVES = ["linear", "matmul", "gather", "slice", "concat", "permute"];
const samePlaces = (a, b, n) => a === b || (!MOVES.includes(n.op) && a.size === b.size && a.whole && b.whole);
/* The element of t, an operand or result of n, whose computation is shown: the selected one if t has it, or else the followed one. */
function shownElement(t, n) {
  const s = state.sel;
  if (s && (s.t === n.y || n.x.includes(s.t)) && samePlaces(s.t, t, n)) return s.i;
  return followed(samePlaces(n.y, t, n) ? n.y : t, n);
}
/* An element of the followed feature: in the row with the largest gradient, or in a row that is on the page. */
function followed(t, n) {
  if (!t.whole) return t.row * t.C + t.column;
  const c = t.unit < t.C ? t.unit : 0, at = t.g || t.v, table = n.op === "gather" && t === n.y && n.x[0];
  if (table && table.table && !table.whole) return D.ids.indexOf(table.row) * t.C + c; /* the word whose row is on the page */
  return argmax(t.R, r => Math.abs(at[r * t.C + c])) * t.C + c;
}

/* ---- what all steps show ---- */

function sentence(now) {
  const heads = T.filter(t => /^a(_\d+)?$/.test(t.name) && t.R === 1 && t.C === D.words.length);
  const weights = heads.length && D.words.map((_, k) => total(heads.map(t => t.v[k])) / heads.length);
  const p = node("p", {id: "text", dir: "auto"});
  D.words.forEach((text, k) => {
    const e = node("span", {class: "w" + (D.ids[k] === 1 ? " unknown" : "") + (k === now ? " now" : "")}, text);
    if (weights) {
      const share = Math.round(55 * weights[k] / largest(weights));
      e.style.background = `color-mix(in srgb, var(--accent) ${share}%, transparent)`;
      e.title = `attention ${num(weights[k])}`;
    }
    p.append(e, " ");
  });
  return p;
}
/* A tensor of an operator, with a link to the step that computes it, or that reads it next. */
function chip(t, kind, n) {
  const first = t.readers.map(([q]) => q).sort((p, q) => p.id - q.id)[0];
  const target = n.y === t ? first : t.maker;
  const inside = `${m((kind === "b" && t.hasGrad ? d : name)(t))}<span class="quiet">${shape(t)}</span>`;
  return target && (kind === "f" || target.y.hasGrad) ? `<a class="chip" href="#${kind}${target.id}">${inside}</a>`
    : `<span class="chip">${inside}</span>`;
}
const opName = n => esc(n.op.replace(/_/g, " "));
function flow(n, kind) {
  const xs = n.x.filter(Boolean), some = xs.length > 5 ? [...xs.slice(0, 2), null, ...xs.slice(-2)] : xs;
  const read = some.map(x => x ? chip(x, kind, n) : '<span class="quiet">⋮</span>'), made = n.out.map(k => chip(T[k], kind, n));
  const arrow = `<span class="arrow">${kind === "b" ? "←" : "→"}</span>`, chips = list => `<span class="chips">${list.join("")}</span>`;
  return html(`<div class="flow">${chips(read)}${arrow}<span class="box">${opName(n)}</span>${arrow}${chips(made)}</div>`).firstChild;
}
function header(n, kind) {
  const back = kind === "b", form = m(opOf(n).form(n)), tells = tellsOf(n);
  const other = back ? link("f", n, "see its forward step") : n.y.hasGrad ? link("b", n, "see its backward step") : "it has no backward step";
  return html(`<p class="crumbs">${n.path.map(scopeName).map(esc).join(" › ")}${n.path.length ? " · " : ""}${other} <kbd>f</kbd></p>
    <h1><span class="phase">${back ? "backward" : "forward"}</span> ${back ? `back through ${form}` : form}</h1>
    <p>${tells && `<span class="quiet">${tells}</span> `}${opOf(n).why[back ? 1 : 0]}</p>`);
}

/* ---- tables for operators that a table explains better than a picture ---- */

function softmaxForward(n) {
  const [x, y] = [n.x[0], n.y], i = shownElement(y, n), [r, c] = rc(y, i), scores = rowOf(x, "v", r), weights = rowOf(y, "v", r);
  if (y.C > 64) return null;
  const powers = scores.map(Math.exp), row = y.R > 1 ? ` (row ${ofRow(y, r)})` : "";
  const columns = [{title: name(x), list: scores, key: "v"}, {title: `<i>e</i><sup>${name(x)}</sup>`, list: powers, key: "v"},
    {title: name(y), list: weights, key: "v", bars: true}];
  return node("div", {},
    html(`<p>${m(name(x))} is a score${row}. ${m("<i>e</i>")} to the power of the score is positive; its share of the sum is the weight.</p>`),
    wordTable(columnNames(y), columns, c, k => choose(y, r * y.C + k), ["sum", null, total(powers), total(weights)]));
}
function softmaxBackward(n) {
  const [x, y] = [n.x[0], n.y], i = shownElement(x, n), [r, c] = rc(x, i), row = y.R > 1 ? ` (row ${ofRow(y, r)})` : "";
  if (y.C > 64) return null;
  const a = rowOf(y, "v", r), da = rowOf(y, "g", r), ds = rowOf(x, "g", r), names = columnNames(y);
  const mean = dot(a, da), gap = da.map(v => v - mean), parts = sum(a.map((v, j) => [esc(names[j]), v, da[j]]));
  const arrives = `∂<i>L</i>/∂${name(y)}<sub>j</sub>`, cancels = Math.abs(total(ds)) < 1e-6 * largest(ds);
  const up = argmax(ds.length, j => -ds[j]), down = argmax(ds.length, j => ds[j]);
  const columns = [{title: name(y), list: a, key: "v"}, {title: d(y), list: da, key: "g"}, {title: "difference", list: gap, key: "g"},
    {title: d(x), list: ds, key: "g", bars: true}];
  const box = node("div", {},
    html(`<p><b>1.</b> The gradient of each weight${row} is ${m(arrives)}: how much the loss would change with it. Their weighted mean is</p>
      <div class="work">${eq(`mean = Σ<sub>j</sub> ${name(y)}<sub>j</sub> · ${arrives}`, parts.html, mean)}</div>
      <p><b>2.</b> The weights sum to 1, so one can grow only if others shrink. What counts is the difference from the mean,
      ${m(`${d(y)} − mean`)}. The gradient of a score is that difference times its weight:</p>`),
    wordTable(names, columns, c, k => choose(x, r * y.C + k), ["sum", total(a), null, null, cancels ? 0 : total(ds)]));
  if (ds[up] < 0) box.append(html(`<p class="small"><b>3.</b> A step against the gradient raises the score of <b>${esc(names[up])}</b>, ` +
    `whose gradient is negative (a higher score means less loss), and lowers that of <b>${esc(names[down])}</b>. The gradients of the ` +
    `scores sum to 0: attention moves from one ${noun} to another.</p>`));
  return box;
}
/* The weighted sum Σ a_j h_j for one feature, word by word; null if the matmul is not one. */
function weighed(n, back) {
  const o = orient(n), [a, h] = n.x, y = n.y;
  if (o.ta || o.tb || !columnIsWord(a) || o.K > 64 || o.K < 2) return null;
  const i = back ? shownElement(h, n) : shownElement(y, n), c = i % y.C;
  const r = !back ? rc(y, i)[0] : y.R > 1 ? argmax(y.R, q => Math.abs(grd(y, q * y.C + c))) : 0;
  return {a, h, y, c, r, weights: rowOf(a, "v", r), names: columnNames(a), query: y.R > 1 ? ` (query ${ofRow(y, r)})` : ""};
}
function weighForward(n) {
  const w = weighed(n, false);
  if (!w) return null;
  const feature = Array.from({length: w.h.R}, (_, k) => val(w.h, k * w.h.C + w.c)), products = w.weights.map((v, k) => v * feature[k]);
  const columns = [{title: name(w.a), list: w.weights, key: "v"}, {title: `${name(w.h)}[·, ${w.c}]`, list: feature, key: "v"},
    {title: "product", list: products, key: "v", bars: true}];
  return node("div", {}, html(`<p>${Noun} by ${noun}${w.query}, for feature ${w.c}:</p>`),
    wordTable(w.names, columns, -1, null, ["sum", total(w.weights), null, total(products)]));
}
function weighBackward(n) {
  const w = weighed(n, true);
  if (!w) return null;
  const arrives = grd(w.y, w.r * w.y.C + w.c), da = rowOf(w.a, "g", w.r), dh = w.weights.map(v => v * arrives);
  const columns = [{title: name(w.a), list: w.weights, key: "v"}, {title: d(w.a), list: da, key: "g", bars: w.a.readers.length === 1},
    {title: `${name(w.a)} · ${signed(arrives)}`, list: dh, key: "g"}];
  return node("div", {},
    html(`<p>The gradient of a weight${w.query} is the dot product of its ${noun}'s vector and the gradient of the result:
      ${m(`∂<i>L</i>/∂${name(w.a)}<sub>j</sub> = ${d(w.y)} · ${name(w.h)}<sub>j</sub>`)}. The gradient of the vector is the gradient of the
      result times the weight. For feature ${w.c} the gradient of the result is ${num(arrives)}:</p>`),
    wordTable(w.names, columns, -1, k => choose(w.h, k * w.h.C + w.c)));
}
function chanceTable(n, back) {
  const x = n.x[0];
  if (x.R !== 1 || x.C > 64) return null;
  const p = chances(n), columns = [{title: name(x), list: rowOf(x, "v", 0), key: "v"}, {title: "p", list: p, key: "v", bars: !back}];
  if (back) columns.push({title: "1 for the label", list: p.map((_, c) => c === truth(n) ? 1 : 0), key: "v"},
    {title: d(x), list: rowOf(x, "g", 0), key: "g", bars: true});
  return wordTable(columnNames(x), columns, truth(n), null, ["sum", null, total(p)]);
}
const TABLES = { /* whole: if there is one row, the table has all numbers of the operator */
  softmax: {forward: softmaxForward, backward: softmaxBackward, whole: true},
  matmul: {forward: weighForward, backward: weighBackward, whole: false},
  cross_entropy: {forward: n => chanceTable(n, false), backward: n => chanceTable(n, true), whole: true},
};

/* ---- a forward step ---- */

/* The element of an operand that gets a frame, as the result's shown element does; -1: none. */
const frame = (x, n) => samePlaces(n.y, x, n) ? shownElement(n.y, n) : x.whole ? -1 : followed(x, n);

function showForward(n, main) {
  const op = opOf(n), i = shownElement(n.y, n), made = op.make && op.make(n, i), kind = TABLES[n.op], table = kind && kind.forward(n);
  const all = table && kind.whole && n.x[0].R === 1;
  const out = card(false, ...(all && n.y.size > 1 ? [] : [heat(n.y, "v", i)]), ...(all ? [table] : []));
  const hint = n.y.size > 1 ? '<div class="small quiet">computed for the cell with the frame; click another cell to change it</div>' : "";
  if (made) out.append(html(`<div class="work">${hint}
    ${eq(el(n.y, i), made.html, made.value, check(made.value, val(n.y, i), n.y, "v", made.mass))}</div>`));
  else if (op.lacks && op.lacks(n)) out.append(html(`<p class="small quiet">${op.lacks(n)}</p>`));
  if (table && !all) out.append(table);
  n.out.slice(1).forEach(k => out.append(heat(T[k], "v", -1)));
  main.append(header(n, "f"), flow(n, "f"), out);
  if (all) return;
  const xs = [...new Set(n.x.filter(Boolean))];
  main.append(pairs(() => xs.slice(0, 6).map(x => card(false, heat(x, "v", frame(x, n))))));
  if (xs.length > 6) main.append(html(`<p class="small quiet">and ${xs.length - 6} more like these</p>`));
}

/* ---- a backward step ---- */

/* Where an operator is, seen from another one: the part of its path that they do not share. */
function where(q, n) {
  let same = 0;
  while (same < q.path.length && q.path[same] === n.path[same]) same++;
  const rest = q.path.slice(same).filter(p => p !== "memory" && p !== "state");
  return q === n ? "here" : rest.length ? scopeName(rest[0]) : q.op;
}
/* What all operators that read x add to the gradient of its element i: {parts: [{q, side, sent}], value, mass}; x is input `side`
 * of operator q. The value is undefined if the page lacks a number for it. */
function shares(x, i) {
  const readers = x.readers.filter(([q]) => q.y.hasGrad);
  const parts = readers.map(([q, side]) => ({q, side, sent: opOf(q).send && opOf(q).send(q, side, i)}));
  if (!parts.every(a => a.sent)) return {parts};
  return {parts, value: total(parts.map(a => a.sent.value)), mass: total(parts.map(({sent}) => sent.mass || Math.abs(sent.value)))};
}
function sharesText(n, k, i, {parts, value, mass}) {
  const SHOWN = 6, x = n.x[k], known = value !== undefined, rest = parts.slice(SHOWN);
  const sentence = say(`<span class="small">${m(name(x))} is read by ${parts.length} operators. Its gradient is the <b>sum</b> of what each
    of them sends back${known ? ":" : "."}</span>`);
  if (!known) return sentence;
  const number = a => a.q === n && a.side === k ? `<b>${signed(a.sent.value)}</b>` : signed(a.sent.value);
  const summands = parts.slice(0, SHOWN).map(a => `${number(a)} <span class="rest">${link("b", a.q, esc(where(a.q, n)))}</span>`);
  if (rest.length) summands.push(`<span class="rest">${rest.length} more: ${num(total(rest.map(a => a.sent.value)))}</span>`);
  return sentence + eq(del(x, i), summands.join(" + "), value, check(value, grd(x, i), x, "g", mass));
}
function backCard(n, k, shown) { /* shown: the numbers are in a table above */
  const x = n.x[k], op = opOf(n), rule = op.rules(n)[k];
  if (!x.hasGrad) return card(false, html(`<p class="small quiet">${m(name(x))} is a constant and has no gradient.</p>`));
  const i = shownElement(x, n), all = shares(x, i), several = all.parts.length > 1;
  const {sent} = all.parts.find(({q, side}) => q === n && side === k);
  let work = several ? sharesText(n, k, i, all) : "";
  if (sent) work = eq(several ? `its share of ${del(x, i)}` : del(x, i), sent.html, sent.value,
    several ? "" : check(sent.value, grd(x, i), x, "g", sent.mass)) + work;
  else if (op.lacks && op.lacks(n, k)) work = say(`<span class="small quiet">${op.lacks(n, k)}</span>`) + work;
  const derived = op.derived ? `<p class="small quiet">${op.derived(n)}</p>` : "";
  const box = card(true, html(`${derived}<div class="rule">${m(rule || "")}</div>`));
  if (work) box.append(html(`<div class="work">${work}</div>`));
  if (!shown) box.append(heat(x, "g", i));
  if (several) box.append(html(`<p class="small quiet">The picture shows the final ${m(d(x))}, after all of them have added their part.</p>`));
  return box;
}
/* Operators whose derivative uses the result, and those whose derivative uses the operands; the others use neither. */
const KEEPS_RESULT = ["sigmoid", "tanh", "exp", "sqrt"];
const KEEPS_OPERANDS = ["mul", "div", "maximum", "linear", "matmul", "relu", "square", "log", "max", "layer_norm", "l2_normalize", "gelu",
  "mean_squared_error"];
function showBackward(n, main) {
  const i = shownElement(n.y, n), kind = TABLES[n.op], table = kind && kind.backward(n), all = table && kind.whole && n.y.R === 1;
  const title = all ? "The gradient that arrives, and what it sends back" : `${Noun} by ${noun}`;
  main.append(header(n, "b"), flow(n, "b"));
  if (!all) main.append(card(true, html("<h3>The gradient that arrives</h3>"), heat(n.y, "g", i)));
  if (table) main.append(card(true, html(`<h3>${title}</h3>`), table));
  main.append(html("<h3>What it sends back</h3>"));
  const inputs = n.x.map((_, k) => k).filter(k => n.x[k]);
  const some = inputs.length > 6 ? [...inputs.slice(0, 2), ...inputs.slice(-1)] : inputs;
  main.append(...some.map(k => backCard(n, k, table && k === 0)));
  if (some.length < inputs.length) main.append(html(`<p class="small quiet">and so on, for all ${inputs.length} inputs</p>`));
  const operands = KEEPS_OPERANDS.includes(n.op) ? n.x.slice(0, 2).filter(Boolean) : [];
  const kept = KEEPS_RESULT.includes(n.op) ? [n.y] : operands;
  if (kept.length && !all) main.append(html("<h3>What it has saved from the forward pass</h3>"),
    pairs(() => kept.map(x => card(false, heat(x, "v", frame(x, n))))));
}

/* ---- the start, the turn and the update ---- */

function showStart(main) {
  const entropy = N.find(n => n.op === "cross_entropy"), [limit, gaps] = [D.agreement[3], D.agreement];
  const to = k => gaps[k] === 0 ? "exactly" : `to ${num(gaps[k])}`;
  main.append(html(`<h1>Backprop, step by step</h1><p>${esc(D.about)}. The tape has ${N.length} operators. In the forward pass each computes its
    result, up to the loss <b>${num(D.loss[0])}</b>. In the backward pass each computes how the loss depends on its inputs.</p>`));
  if (entropy) main.append(card(false,
    html(`<h3>The answer${D.label >= 0 ? `, and the label for the loss: <bdi>${esc(D.labels[D.label])}</bdi>` : ""}</h3>`),
    chanceTable(entropy, false) || ""));
  const repeats = steps.some(s => s.repeat) ? "The words after the second repeat its steps; untick <i>skip repeats</i> to see them." : "";
  const coloured = T.some(t => t.name === "a" || t.name === "a_1") ? `The bluer a ${noun} at the top, the larger its attention weight. ` : "";
  main.append(card(false, html(`<h3>How to read it</h3>
    <p><kbd>→</kbd> goes to the next step and <kbd>←</kbd> to the previous one; with <kbd>Shift</kbd>, to the next or previous part.
    <kbd>f</kbd> switches between the forward and the backward step of an operator. The list of the tape (<kbd>m</kbd>) links to every step. ${repeats}</p>
    <p>${coloured}Values are ${legend([-1, 1], "v")} and gradients ${legend([-1, 1], "g")}. Point at a cell to see its number;
    click it to see how it is computed. Features are numbered from 0. The page follows one feature of each layer, the one with the
    largest gradient.</p>
    <p><b>A gradient</b> ${m("∂<i>L</i>/∂<i>x</i>")} says: if ${m("<i>x</i>")} changes by a little, the loss ${m("<i>L</i>")} changes by that
    much times this number. There are only three rules:</p>
    <p>1. <b>Chain:</b> ${m("∂<i>L</i>/∂<i>x</i> = ∂<i>L</i>/∂<i>y</i> · ∂<i>y</i>/∂<i>x</i>")}. An operator knows its own derivative
    ${m("∂<i>y</i>/∂<i>x</i>")}, and multiplies the gradient that arrives by it.<br>
    2. <b>Sum:</b> if several operators read ${m("<i>x</i>")}, its gradient is the sum of what they send back.<br>
    3. <b>Update:</b> at the end each parameter moves against its gradient, and the loss falls.</p>`)));
  if (limit) main.append(html(`<p class="small quiet">Training uses fused operators, which do many of these steps at once.
    The program has computed both and compared them. The loss agrees ${to(0)}, ${entropy ? `the logits ${to(1)}, ` : ""}the gradients of all
    parameters ${to(2)}, relative to the largest value; the limit is ${num(limit)}.</p>`));
  const attention = N.find(n => n.path.includes("attention")), softmax = N.filter(n => n.op === "softmax" && n.y.hasGrad).pop();
  const links = [attention && link("f", attention, "the attention"), entropy && link("f", entropy, "the loss"),
    softmax && link("b", softmax, "the backward step of softmax"), '<a href="#update">the update</a>'];
  main.append(node("button", {class: "begin", onclick: () => move(1)}, "Begin →"),
    html(`<p class="small">or go to ${links.filter(Boolean).join(", ")}</p>`));
}
function showTurn(main) {
  const loss = N[N.length - 1].y;
  main.append(html(`<h1>The turn</h1>
    <p>The loss is one number: ${m(`${name(loss)} = <b>${num(D.loss[0])}</b>`)}. Its derivative with respect to itself is 1:</p>
    <div class="card g"><div class="rule">${m(`${d(loss)} = 1`)}</div></div>
    <p>From here the tape is read in reverse. The operators that read ${m("<i>y</i>")}, the result of an operator, have already computed
    ${m("∂<i>L</i>/∂<i>y</i>")}. From it the operator computes ${m("∂<i>L</i>/∂<i>x</i>")} for each of its inputs, with its own derivative
    alone; it knows nothing of the rest of the network. That is all of backpropagation.</p>`));
}
function showUpdate(main) {
  const [before, after] = D.loss, fell = after < before, rows = T.filter(t => t.param && t.after);
  const verdict = fell ? "Computed again, the loss has fallen:" : "Computed again, the loss has not fallen; the step was too long:";
  const squares = total(rows.map(t => t.gn !== undefined ? t.gn ** 2 : t.g ? dot(t.g, t.g) : 0));
  main.append(html(`<h1><span class="phase">update</span> ${m(`<i>p</i> ← <i>p</i> − ${num(D.rate)} · ∂<i>L</i>/∂<i>p</i>`)}</h1>
    <p>One step of gradient descent: every parameter moves against its gradient, by ${num(D.rate)} (the learning rate) times the gradient.
    ${after === null ? "" : verdict}</p>`));
  const losses = [{title: "<i>L</i>", list: D.loss, key: "v", bars: true}];
  if (after !== null) main.append(card(false, wordTable(["before", "after"], losses, -1),
    html(`<p>It ${fell ? "fell" : "rose"} by ${num(Math.abs(before - after))}. To first order, it should fall by the learning rate times
      the sum of all squared gradients, ${num(D.rate)} · ${num(squares)} = ${num(D.rate * squares)}.</p>`)));
  const table = node("table", {class: "params"});
  const slope = m("∂<i>L</i>/∂<i>p</i>");
  table.innerHTML = `<thead><tr><th>parameter</th><th class="norm">norm of ${slope}</th><th>one number</th><th>before</th>
    <th>${slope}</th><th>after</th><th></th></tr></thead>`;
  for (const t of rows) {
    const i = t.whole ? argmax(t.size, k => Math.abs(grd(t, k) || 0)) : t.row * t.C + t.column, g = grd(t, i) || 0;
    const was = val(t, i), is = pick(t, i, "v", t.after), [from, to] = apart(was, is), norm = t.gn ?? (t.g && Math.hypot(...t.g));
    const cell = (x, text) => `<td style="background:${colour(x, 0.3, "v", 0.5)}">${text}</td>`;
    const agrees = check(was - D.rate * g, is, t, "v");
    table.append(node("tr", {}));
    table.lastChild.innerHTML = `<td>${t.param === t.name ? "" : m(name(t)) + " "}<span class="small">${esc(t.param)}</span>
      <span class="small quiet">${shape(t)}</span></td><td class="norm">${norm === undefined ? "no gradient" : num(norm)}</td>
      <td>${m(place(t, i) || "the value")}</td>${cell(was, from)}<td>${num(g)}</td>${cell(is, to)}<td>${agrees}</td>`;
  }
  main.append(card(false, html("<h3>Before and after</h3>"), node("div", {class: "scroll"}, table)));
  main.append(html(`<p class="small quiet">Training uses Adam instead. It divides each gradient by a running average of its size, so all
    parameters move by about the same amount.</p><p><a href="#start">Back to the start</a></p>`));
}

const SHOWN = {start: showStart, turn: showTurn, update: showUpdate};
function show(stay) {
  const s = steps[state.step], main = byId("main"), scrolled = window.scrollY, stops = tour();
  main.textContent = "";
  main.className = s.kind === "b" || s.kind === "turn" ? "back" : "";
  main.append(sentence(s.n ? wordNow(s.n) : -1));
  if (s.n) (s.kind === "f" ? showForward : showBackward)(s.n, main);
  else SHOWN[s.kind](main);
  const at = stops.indexOf(state.step);
  byId("slide").max = stops.length - 1;
  byId("slide").value = at;
  byId("where").textContent = `step ${at + 1} of ${stops.length}` + (s.n ? s.kind === "f" ? ", forward" : ", backward" : "");
  byId("prev").disabled = at === 0;
  byId("next").disabled = at === stops.length - 1;
  tip(null, "");
  window.scrollTo(0, stay ? scrolled : 0);
  mark(s);
}

/* ---- the map ---- */

const rowsOf = {};
function mapRow(n) {
  const back = n.y.hasGrad ? `<a class="way b" href="#b${n.id}" title="backward">←</a>` : "";
  return rowsOf[n.id] = html(`<div class="row"><a href="#f${n.id}">${m(name(n.y))} <span class="quiet">${opName(n)}</span></a>` +
    `<a class="way" href="#f${n.id}" title="forward">→</a>${back}</div>`).firstChild;
}
function drawMap() {
  const map = byId("map"), open = new Map([["", map]]), counts = {};
  const plainRow = (hash, text) => html(`<div class="row"><a href="#${hash}">${text}</a></div>`).firstChild;
  const fold = (path, title, quiet) => {
    if (!open.has(path)) open.set(path, node("details", {}, node("summary", quiet ? {class: "quiet"} : {}, title)));
    return open.get(path);
  };
  map.append(node("h2", {}, "The tape"), plainRow("start", "Start"));
  for (const n of N) {
    let path = "", parent = map;
    for (const p of n.path) {
      const whole = path + "/" + p, kind = /^(word|head) \d+$/.test(p) && path + "/" + p.slice(0, 4);
      if (!open.has(whole)) {
        if (kind) counts[kind] = (counts[kind] || 0) + 1;
        if (counts[kind] > 2) { /* the others do the same as the first two */
          const others = fold(kind + "+", "the others, which do the same", true);
          if (!others.parentNode) parent.append(others);
          parent = others;
        }
        const box = fold(whole, scopeName(p));
        if (path === "") box.open = p !== "encoder" || N.length < 80;
        parent.append(box);
      }
      path = whole;
      parent = open.get(whole);
    }
    parent.append(mapRow(n));
  }
  map.append(plainRow("turn", "The turn"), plainRow("update", "The update"));
}
let opened = []; /* details that mark() has opened; it closes them again when the step is outside */
function mark(s) {
  document.querySelectorAll("#map .here").forEach(e => e.classList.remove("here", "back"));
  const row = s.n && rowsOf[s.n.id], map = byId("map");
  if (!row) return;
  const round = [];
  for (let e = row.parentElement; e !== map; e = e.parentElement) round.push(e);
  const wanted = round.filter(e => !e.open || opened.includes(e));
  wanted.forEach(e => e.open = true);
  opened.filter(e => !wanted.includes(e)).forEach(e => e.open = false);
  opened = wanted;
  row.classList.add("here");
  if (s.kind === "b") row.classList.add("back");
  const top = row.getBoundingClientRect().top - map.getBoundingClientRect().top;
  if (top < 40 || top > map.clientHeight - 60) map.scrollTop += top - map.clientHeight / 3;
}

/* ---- begin ---- */

function fromHash() {
  const h = /^#([a-z]+?)(\d*)$/.exec(location.hash);
  return h ? Math.max(0, stepAt(h[1], Number(h[2]))) : 0;
}
function toggleMap() {
  document.body.classList.toggle("mapped");
  mark(steps[state.step]);
}
const KEYS = {
  ArrowRight: e => e.shiftKey ? moveGroup(1) : move(1), ArrowLeft: e => e.shiftKey ? moveGroup(-1) : move(-1),
  Home: () => go(0), End: () => go(steps.length - 1), m: toggleMap,
  f: () => { const s = steps[state.step]; if (s.n && s.n.y.hasGrad) go(stepAt(s.kind === "f" ? "b" : "f", s.n.id)); },
};
if (D.title) document.title = `${D.title} · ${document.title}`;
byId("tour").parentElement.style.visibility = steps.some(s => s.repeat) ? "" : "hidden";
byId("tour").addEventListener("change", () => show(true));
byId("slide").addEventListener("input", e => go(tour()[Number(e.target.value)]));
byId("next").addEventListener("click", () => move(1));
byId("prev").addEventListener("click", () => move(-1));
byId("later").addEventListener("click", () => moveGroup(1));
byId("prior").addEventListener("click", () => moveGroup(-1));
byId("menu").addEventListener("click", toggleMap);
byId("map").addEventListener("click", e => { if (e.target.closest("a")) document.body.classList.remove("mapped"); });
window.addEventListener("hashchange", () => go(fromHash()));
window.addEventListener("resize", () => show(true));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); show(true); });
document.addEventListener("keydown", e => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.target.type === "range" || !KEYS[e.key]) return;
  KEYS[e.key](e);
  e.preventDefault();
});
readColours();
drawMap();
go(fromHash());
