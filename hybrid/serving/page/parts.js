// Small things to show: elements, an answer with its marks, places, tables. Text becomes text, never markup.

/** Return an element with properties, and children that are elements or texts. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

export function named(source) {
  return source.replace(/^\.uploads\//, "");
}

/** Return where a citation stands: title if wanted, heading, page or line. */
export function placed(citation, title = citation.title || named(citation.source)) {
  const at = citation.page ? `page ${citation.page}` : citation.line ? `line ${citation.line}` : "";
  const heading = citation.heading === citation.title ? "" : citation.heading;
  return [title, heading, at].filter(Boolean).join(", ");
}

const MARKER = /\[(\d{1,3})\]/;
const TABLE = /^[ \t]*\|.*\|[ \t]*\n[ \t]*\|[\s:|-]+\|[ \t]*(?:\n[ \t]*\|.*\|[ \t]*)+\n?/gm; // as Markdown has it
const RULE = /^\s*\|[\s:|-]+\|\s*$/;

/**
 * Return the text of an answer as nodes: markers as buttons, doubted stretches underlined.
 *
 * Offsets count characters as the server does, by code point. `doubts` are {start, end, unclear, id}, in order;
 * `open` is called with the citation of a marker.
 */
export function answerNodes(text, citations, doubts, open) {
  const letters = Array.from(text);
  const between = (from, to) => {
    const nodes = [];
    const part = (end) => marked(letters.slice(from, end).join(""), citations, open);
    for (const doubt of doubts) {
      const [start, end] = [Math.max(doubt.start, from), Math.min(doubt.end, to)];
      if (start >= end) continue;
      nodes.push(...part(start));
      from = start;
      nodes.push(el("mark", { className: doubt.unclear ? "doubt unclear" : "doubt", "aria-describedby": doubt.id }, part(end)));
      from = end;
    }
    return [...nodes, ...part(to)];
  };
  const nodes = [];
  let at = 0;
  for (const found of text.matchAll(TABLE)) {
    const start = Array.from(text.slice(0, found.index)).length;
    nodes.push(...between(at, start), grid(found[0], start, between));
    at = start + Array.from(found[0]).length;
  }
  return [...nodes, ...between(at, letters.length)];
}

/** Return a table that was written with bars; `between` gives what stands between two places of the answer. */
function grid(text, start, between) {
  const rows = [];
  for (const line of text.match(/.+\n?/g)) {
    let at = start + line.indexOf("|");
    start += Array.from(line).length;
    if (RULE.test(line)) continue;
    rows.push(line.trim().slice(1, -1).split("|").map((cell) => between(at + 1, (at += Array.from(cell).length + 1))));
  }
  return table(rows[0], rows.slice(1), "Table");
}

function marked(text, citations, open) {
  const parts = text.split(MARKER);
  return parts.map((part, place) => {
    if (place % 2 === 0) return part;
    const citation = citations.find((one) => one.number === Number(part));
    if (!citation) return `[${part}]`;
    const label = `Source ${part}: ${placed(citation)}`;
    return el("button", { type: "button", className: "cite", title: placed(citation), "aria-label": label, onclick: () => open(citation) }, part);
  }).filter((part) => part !== "");
}

/** Return a row that opens a place of a document. */
export function placeButton(citation, number, open) {
  return el("button", { type: "button", className: "place", onclick: () => open(citation) },
    el("b", {}, number), el("span", {}, placed(citation), " ", citation.title ? el("small", {}, named(citation.source)) : ""));
}

/** Return names and values as a list of definitions; values that are empty are left out. */
export function facts(values) {
  const rows = Object.entries(values).filter(([, value]) => !["", 0, null, undefined].includes(value));
  return el("dl", { className: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** Return chances from 0 to 1 as rows of a name, a number and a bar. */
export function chances(rows) {
  return el("div", { className: "chances" }, rows.map(([name, share]) => [
    el("span", {}, name), el("span", {}, share.toFixed(2)), el("meter", { min: 0, max: 1, value: share, "aria-label": `${name}: ${share.toFixed(2)}` }),
  ]));
}

export function table(head, rows, caption) {
  return el("div", { className: "frame", tabIndex: 0, role: "region", "aria-label": caption }, el("table", {},
    el("caption", { className: "unseen" }, caption),
    el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, rows.map(([first, ...others]) => el("tr", {}, el("th", { scope: "row" }, first), others.map((cell) => el("td", {}, cell)))))));
}

/** Say something to a screen reader, and to nobody else. */
export function say(text) {
  document.getElementById("status").textContent = text;
}
