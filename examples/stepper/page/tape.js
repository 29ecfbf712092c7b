/* The data of the tape, and functions that write numbers, tensors and equations.
 *
 * D is the data from stepper.c: tensors T and nodes N (operators), in the order of the tape. The page treats every tensor as R rows
 * of C columns. v are its values and g its gradients; a large parameter has only one row and one column (vr, vc, gr, gc), and the
 * norm (vn, gn). */

const D = JSON.parse(document.getElementById("data").textContent), T = D.tensors, N = D.nodes;
const byId = id => document.getElementById(id);

for (let i = T.length - 1; i >= 0; i--) if (typeof T[i].g === "number") T[i].g = T[T[i].g].g; /* equal to that of a later tensor */
T.forEach(t => {
  t.readers = []; /* [operator, which of its inputs] */
  t.maker = null;
  t.C = t.shape.length ? t.shape[t.shape.length - 1] : 1;
  t.size = t.shape.reduce((a, b) => a * b, 1);
  t.R = t.C ? t.size / t.C : 0;
  t.whole = t.v !== undefined;
  t.hasGrad = t.g !== undefined || t.gr !== undefined;
});
N.forEach((n, i) => {
  n.id = i;
  n.x = n.in.map(k => k < 0 ? null : T[k]);
  n.y = T[n.out[0]];
  n.x.forEach((t, k) => t && t.readers.push([n, k]));
  n.out.forEach(k => T[k].maker = n);
  n.path = n.scope ? n.scope.split("/") : [];
});
D.after.forEach(a => T[a.tensor].after = a);

const rc = (t, i) => [Math.floor(i / t.C), i % t.C];
const total = list => list.reduce((a, b) => a + b, 0);
const largest = list => list.reduce((a, b) => Math.max(a, Math.abs(b) || 0), 0);
const argmax = (count, f) => { let b = 0; for (let i = 1; i < count; i++) if (f(i) > f(b)) b = i; return b; };

/* Element i of the values ("v") or gradients ("g") of s: a tensor, or its state after the update. undefined if the page does not have it. */
function pick(t, i, key, s = t) {
  if (s[key]) return s[key][i];
  const [r, c] = rc(t, i), row = s[key + "r"], column = s[key + "c"];
  return row && r === t.row ? row[c] : column && c === t.column ? column[r] : undefined;
}
const val = (t, i) => pick(t, i, "v"), grd = (t, i) => pick(t, i, "g");
const rowOf = (t, key, r) => Array.from({length: t.C}, (_, c) => pick(t, r * t.C + c, key));

/* ---- numbers and names, as HTML ---- */

const esc = text => String(text).replace(/[&<>"]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})[c]);
const up = digits => String(digits).replace("-", "⁻").replace(/\d/g, d => "⁰¹²³⁴⁵⁶⁷⁸⁹"[d]);
function num(x, digits) {
  if (x === undefined) return "?";
  if (x === null || !isFinite(x)) return "not finite";
  const a = Math.abs(x);
  if (a === 0) return "0";
  let text;
  if (a >= 1e5 || a < 1e-4) {
    const [m, e] = a.toExponential((digits || 3) - 1).split("e");
    text = String(Number(m)) + "·10" + up(Number(e));
  } else if (digits || a < 0.1) text = String(Number(a.toPrecision(digits || 3)));
  else text = String(Number(a.toFixed(4)));
  return (x < 0 ? "−" : "") + text;
}
/* Both numbers, with enough digits to see that they differ. */
function apart(a, b) {
  let digits = 4;
  while (digits < 9 && num(a, digits) === num(b, digits)) digits++;
  return [num(a, digits), num(b, digits)];
}
const signed = x => x < 0 ? `(${num(x)})` : num(x);
const m = html => `<span class="m">${html}</span>`;
function name(t) {
  if (!t.name) return t.maker ? `<i>y</i><sub>${t.maker.id}</sub>` : t.size === 1 ? num(val(t, 0)) : "constant";
  if (t.name.includes(".")) return `<code>${esc(t.name)}</code>`;
  const [head, ...index] = t.name.split("_");
  return `<i>${esc(head)}${index.length ? `<sub>${esc(index.join("_"))}</sub>` : ""}</i>`;
}
const d = t => `<span class="t">∂<i>L</i>/∂${name(t)}</span>`;
const shape = t => t.shape.length ? t.shape.join("×") : "1 number";

const ROWS_ARE_WORDS = 1, COLUMNS_ARE_WORDS = 2, COLUMNS_ARE_LABELS = 4; /* t.axes, as in stepper.h */
const noun = D.ids.length ? "word" : "row", Noun = noun[0].toUpperCase() + noun.slice(1);
const word = k => D.words[k];
const rowIsWord = t => (t.axes & ROWS_ARE_WORDS) && t.R === D.words.length;
const columnIsWord = t => (t.axes & COLUMNS_ARE_WORDS) && t.C === D.words.length;
const rowName = (t, r) => rowIsWord(t) ? word(r) : t.table && D.ids.includes(r) ? word(D.ids.indexOf(r)) : String(r);
const columnName = (t, c) => columnIsWord(t) ? word(c) : (t.axes & COLUMNS_ARE_LABELS) && D.labels[c] || String(c);
const columnNames = t => Array.from({length: t.C}, (_, c) => columnName(t, c));
const ofRow = (t, r) => t.R > 1 ? esc(rowName(t, r)) : "", ofColumn = (t, c) => t.C > 1 ? esc(columnName(t, c)) : "";

/* "h[movie, 3]": leaves out the row if there is only one, and the column likewise; r and c may be letters. */
const index = (r, c) => r !== "" || c !== "" ? `[${[r, c].filter(x => x !== "").join(", ")}]` : "";
const indexed = (html, t, r, c) => html + index(t.R > 1 ? r : "", t.C > 1 ? c : "");
const place = (t, i) => { const [r, c] = rc(t, i); return index(ofRow(t, r), ofColumn(t, c)); };
const el = (t, i) => name(t) + place(t, i), del = (t, i) => d(t) + place(t, i);

/* ---- sums and equations ---- */

const results = []; /* of all checks: {off, good, step} */

/* Compares a number that the page has computed with the library's. mass: the sum of all magnitudes added, because much may cancel. */
function check(got, want, t, key, mass = 0) {
  if (got === undefined || want === undefined) return "";
  const scale = Math.max(Math.abs(got), Math.abs(want), 1e-2 * largest(t[key] || []), 1e-2 * mass, 1e-30);
  const off = got === want ? 0 : Math.abs(got - want) / scale, good = off <= 1e-4;
  results.push({off, good, step: state.step});
  return good ? `<span class="ok" title="the library computed ${want}">✓<span class="words"> as in the library</span></span>`
    : `<span class="no">the library computed ${num(want)}</span>`;
}

/* Terms are [label, number], or [label, number, number] for a product. Returns the largest terms of the sum as HTML, its value, and
 * the sum of all magnitudes; undefined if a number is undefined. */
function sum(terms) {
  const SHOWN = 4;
  const values = terms.map(([, a, b = 1]) => a * b), sizes = values.map(Math.abs);
  if (terms.some(t => t.includes(undefined))) return undefined;
  const order = values.map((_, i) => i).sort((a, b) => sizes[b] - sizes[a]);
  const shown = order.slice(0, SHOWN).sort((a, b) => a - b), rest = order.slice(SHOWN);
  const parts = shown.map(i => {
    const [label, ...numbers] = terms[i];
    return `<span class="t">${label && `<span class="rest">${label}&thinsp;</span>`}${numbers.map(signed).join("·")}</span>`;
  });
  if (rest.length) parts.push(`<span class="t rest">${rest.length} smaller terms: ${num(total(rest.map(i => values[i])))}</span>`);
  return {html: parts.join(" + ") || "0", value: total(values), mass: total(sizes)};
}
/* A result that is a sum: {html, value, mass}; undefined if the page lacks a number for it. */
const worked = (s, html = text => text) => s && {html: html(s.html), value: s.value, mass: s.mass};

const eq = (left, right, value, mark = "") =>
  `<div class="eq">${m(`${left} = ${right} = <b class="t">${num(value)}</b>`)} ${mark}</div>`;
const say = html => `<div class="eq">${html}</div>`;
