/* Numbers as pictures: heat maps, and tables of words with bars. A click on a number shows its computation. */

let colours;
function readColours() {
  const css = getComputedStyle(document.documentElement), get = k => css.getPropertyValue(k).trim().split(/\s+/).map(Number);
  colours = {zero: get("--zero"), v: [get("--less"), get("--more")], g: [get("--gless"), get("--gmore")],
    ink: css.getPropertyValue("--ink").trim()};
}
function colour(x, scale, key, strength = 0.92) {
  const share = scale > 0 && isFinite(x) ? Math.min(1, Math.abs(x) / scale) ** 0.6 : 0, to = colours[key][x < 0 ? 0 : 1];
  return "rgb(" + colours.zero.map((z, i) => Math.round(z + (to[i] - z) * share * strength)).join(" ") + ")";
}
/* The scale of the colours of these numbers. */
function legend(list, key) {
  const scale = largest(list), brief = x => num(Number(x.toPrecision(2)));
  if (!scale) return '<span class="legend">all 0</span>';
  const from = list.some(x => x < 0) ? -1 : 0, to = list.some(x => x > 0) ? 1 : 0;
  const stops = Array.from({length: 9}, (_, k) => colour(from + (to - from) * k / 8, 1, key)).join(",");
  const band = `<i style="background:linear-gradient(90deg,${stops})"></i>`;
  return `<span class="legend">${brief(from * scale)} ${band} ${brief(to * scale)}</span>`;
}

/* ---- elements ---- */

function node(tag, attributes, ...inside) {
  const e = document.createElement(tag);
  for (const k in attributes) k.startsWith("on") ? e.addEventListener(k.slice(2), attributes[k]) : e.setAttribute(k, attributes[k]);
  e.append(...inside);
  return e;
}
function html(text) {
  const box = document.createElement("div");
  box.innerHTML = text;
  return box;
}
function card(grad, ...inside) { return node("div", {class: "card" + (grad ? " g" : "")}, ...inside); }

function tip(event, text) {
  const box = byId("tip");
  box.style.display = text ? "block" : "none";
  if (!text) return;
  box.innerHTML = text;
  const x = Math.min(window.innerWidth - box.offsetWidth - 8, Math.max(8, event.clientX + 12));
  box.style.left = x + "px";
  box.style.top = (event.clientY > 60 ? event.clientY - box.offsetHeight - 12 : event.clientY + 16) + "px";
}
const tipText = (t, i, key) => key === "v" ? m(`${el(t, i)} = ${num(val(t, i))}`)
  : m(`${del(t, i)} = ${num(grd(t, i))}`) + "<br>" + m(`${el(t, i)} = ${num(val(t, i))}`);

/* ---- a tensor ---- */

let paired = false; /* whether cards are side by side, if the window is wide enough */
function pairs(cards) {
  paired = true;
  const grid = node("div", {class: "cards"}, ...cards());
  paired = false;
  return grid;
}

/* The width inside a card, in pixels. */
function widthInside() {
  const main = byId("main"), style = getComputedStyle(main);
  const full = main.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  return Math.min(paired && full >= 816 ? (full - 15) / 2 : full, 860) - 34;
}

/* A tensor as a table of numbers if it is small, else as a picture. */
function heat(t, key, chosen) {
  const MAX_NUMBERS = 64, WIDTH_OF_ONE = 66;
  const data = t[key], all = data || t[key + "r"].concat(t[key + "c"] || []), scale = largest(all);
  const from = t.param && t.param !== t.name ? ` · ${esc(t.param)}` : "";
  const top = html(`<span>${m((key === "g" ? d : name)(t))} <span class="quiet">${shape(t)}${from}</span></span>${legend(all, key)}`);
  top.className = "top";
  const box = node("div", {class: "heat"}, top);
  if (!data) {
    const row = t[key + "r"], column = t[key + "c"], word = t.table ? `, for “${ofRow(t, t.row)}”` : "";
    box.append(html(`<div class="small">row ${t.row}${word}</div>`), picture(t, key, row, 1, scale, chosen, i => t.row * t.C + i));
    if (column) box.append(html(`<div class="small">column ${t.column}</div>`),
      picture(t, key, column, 1, scale, chosen, i => i * t.C + t.column));
    box.append(html(`<div class="small quiet">The page has only row ${t.row}${column ? ` and column ${t.column}` : ""} of this matrix; ` +
      `the norm of the whole matrix is ${num(t[key + "n"])}.</div>`));
    return box;
  }
  const down = t.R === 1 && t.C > 1 && (t.axes & (COLUMNS_ARE_WORDS | COLUMNS_ARE_LABELS)); /* words or labels below each other */
  box.append(t.size <= MAX_NUMBERS && (down || t.C * WIDTH_OF_ONE <= widthInside()) ? numbers(t, key, scale, chosen, down)
    : picture(t, key, data, t.R, scale, chosen, i => i));
  return box;
}
function numbers(t, key, scale, chosen, down) {
  const table = node("table"), names = columnNames(t);
  const cell = i => {
    const e = node("td", {class: "cell" + (i === chosen ? " sel" : ""), onclick: () => choose(t, i)}, num(pick(t, i, key)));
    e.style.background = colour(pick(t, i, key), scale, key, 0.5);
    return e;
  };
  if (down) names.forEach((text, c) => table.append(node("tr", {}, node("td", {}, text), cell(c))));
  else {
    const corner = t.R > 1 ? [node("th")] : [];
    if (t.C > 1) table.append(node("tr", {}, ...corner, ...names.map(text => node("th", {}, text))));
    for (let r = 0; r < t.R; r++)
      table.append(node("tr", {}, ...corner.map(() => node("th", {}, rowName(t, r))), ...names.map((_, c) => cell(r * t.C + c))));
  }
  return node("div", {class: "scroll"}, table);
}
/* Numbers in `rows` rows as a picture. map(k) is the element of t that is number k; the element `chosen` gets a frame. */
function picture(t, key, data, rows, scale, chosen, map) {
  const grid = node("div", {class: "grid"}), inside = widthInside();
  const named = rows > 1 && rowIsWord(t), single = rows === 1;
  let columns = data.length / rows;
  if (single && columns > 32) { /* wrap a long row */
    columns = inside > 560 ? 64 : 32;
    rows = Math.ceil(data.length / columns);
  }
  const w = Math.max(3, Math.min(22, Math.floor((inside - (named ? 84 : 0)) / columns)));
  const h = single ? Math.max(9, Math.min(18, w + 4)) : Math.max(7, Math.min(18, Math.floor(420 / rows)));
  if (named) {
    const names = D.words.map(text => node("div", {style: `height:${h}px;line-height:${h}px`}, text));
    grid.append(node("div", {class: "names"}, ...names));
  }
  const canvas = node("canvas"), ratio = window.devicePixelRatio || 1, gap = w > 5 ? 1 : 0;
  canvas.width = columns * w * ratio;
  canvas.height = rows * h * ratio;
  canvas.style.width = columns * w + "px";
  canvas.style.height = rows * h + "px";
  const pen = canvas.getContext("2d"), left = k => k % columns * w, top = k => Math.floor(k / columns) * h;
  pen.scale(ratio, ratio);
  data.forEach((x, k) => {
    pen.fillStyle = colour(x, scale, key);
    pen.fillRect(left(k), top(k), w - gap, h - 1);
  });
  const at = chosen < 0 ? -1 : data.findIndex((_, k) => map(k) === chosen);
  if (at >= 0) {
    pen.strokeStyle = colours.ink;
    pen.lineWidth = 2;
    const x = Math.max(1, left(at)), y = Math.max(1, top(at));
    pen.strokeRect(x, y, Math.min(left(at) + w, columns * w - 1) - x, Math.min(top(at) + h, rows * h - 1) - y);
  }
  const hit = e => {
    const box = canvas.getBoundingClientRect(), c = Math.floor((e.clientX - box.left) / w);
    const k = Math.floor((e.clientY - box.top) / h) * columns + c;
    return c >= 0 && c < columns && k >= 0 && k < data.length ? k : -1;
  };
  canvas.addEventListener("pointermove", e => { const k = hit(e); tip(e, k < 0 ? "" : tipText(t, map(k), key)); });
  canvas.addEventListener("pointerleave", e => tip(e, ""));
  canvas.addEventListener("click", e => { const k = hit(e); if (k >= 0) choose(t, map(k)); });
  grid.append(canvas);
  return grid;
}

/* ---- tables of words ---- */

function bar(x, scale, key, signs) {
  const share = scale > 0 ? Math.min(1, Math.abs(x) / scale) * 100 : 0, paint = `rgb(${colours[key][x < 0 ? 0 : 1].join(" ")})`;
  const drawn = `<span class="bar" style="width:${share}%;background:${paint}"></span>`;
  if (!signs) return `<span class="two">${drawn}</span>`;
  return `<span class="two"><span class="half">${x < 0 ? drawn : ""}</span><span class="half">${x < 0 ? "" : drawn}</span></span>`;
}
/* columns: {title, list, key, bars}; onpick(row), where rows can be chosen; foot: a first cell, and a number or null a column. */
function wordTable(labels, columns, chosen, onpick, foot) {
  const table = node("table"), scales = columns.map(c => largest(c.list)), signs = columns.map(c => c.list.some(x => x < 0));
  const heads = columns.map(c => `<th>${m(c.title)}</th>${c.bars ? '<th class="bars"></th>' : ""}`);
  table.innerHTML = `<thead><tr><th></th>${heads.join("")}</tr></thead>`;
  const body = node("tbody");
  labels.forEach((text, k) => {
    const cells = columns.map(({list, key, bars}, j) =>
      `<td style="background:${colour(list[k], scales[j], key, 0.5)}">${num(list[k])}</td>` +
      (bars ? `<td class="bars">${bar(list[k], scales[j], key, signs[j])}</td>` : ""));
    const row = node("tr", k === chosen ? {class: "sel"} : {});
    if (onpick) {
      row.classList.add("pick");
      row.addEventListener("click", () => onpick(k));
    }
    row.innerHTML = `<td>${esc(text)}</td>${cells.join("")}`;
    body.append(row);
  });
  table.append(body);
  const sums = foot && foot.slice(1).map(x => `<td>${x === null ? "" : num(x)}</td>`);
  if (foot) table.insertAdjacentHTML("beforeend", `<tfoot><tr><td>${foot[0]}</td>${sums.join("")}</tr></tfoot>`);
  return node("div", {class: "scroll"}, table);
}
