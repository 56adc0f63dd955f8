// The document dialog: the cited stretch, marked, in the text around it, and the page of a PDF.

import { fetched, get } from "/page/server.js";
import { el, named, placed } from "/page/parts.js";

const dialog = document.getElementById("document");
const text = document.getElementById("document-text");
const figure = document.getElementById("document-page");
const note = document.getElementById("document-note");
let opened = 0;

/** Open the document of a citation at its stretch. */
export async function openDocument(domain, citation) {
  const turn = (opened += 1);
  document.getElementById("document-title").textContent = citation.title || named(citation.source);
  tellPlace(citation);
  text.replaceChildren(el("p", { className: "note" }, "Opening…"));
  note.hidden = figure.hidden = true;
  if (!dialog.open) dialog.showModal();
  try {
    const stretch = await get(address(domain, "stretch", citation));
    if (turn !== opened) return;
    show(domain, citation, stretch);
    if (stretch.page) await showPage(domain, citation, stretch.page, turn);
  } catch (error) {
    if (turn === opened) text.replaceChildren(el("p", { className: "warning" }, error.message));
  }
}

function tellPlace(citation) {
  document.getElementById("document-place").textContent = [placed(citation, ""), citation.title ? named(citation.source) : ""].filter(Boolean).join(" · ");
}

function show(domain, citation, stretch) {
  if (stretch.page) tellPlace({ ...citation, page: stretch.page });
  const mark = el("mark", { tabIndex: -1 }, stretch.marked);
  text.replaceChildren(stretch.before, mark, stretch.after);
  if (stretch.more_before) text.prepend(more("Show what stands before", domain, citation, stretch));
  if (stretch.more_after) text.append(more("Show what follows", domain, citation, stretch));
  if (citation.text && stretch.marked !== citation.text) {
    note.textContent = "The document has changed since this answer: what is marked may be another place.";
    note.hidden = false;
  }
  mark.scrollIntoView({ block: "center" });
  mark.focus({ preventScroll: true });
}

function more(label, domain, citation, stretch) {
  const around = stretch.around * 4;
  return el("button", { type: "button", onclick: async () => show(domain, citation, await get(address(domain, "stretch", citation, { around }))) }, label);
}

async function showPage(domain, citation, page, turn) {
  const picture = figure.querySelector("img");
  try {
    const source = await fetched(address(domain, "page", citation, { page }));
    if (turn !== opened) return URL.revokeObjectURL(source);
    picture.onload = () => URL.revokeObjectURL(source);
    picture.alt = `Page ${page} of ${named(citation.source)}; the cited stretch is marked. Its text stands beside it.`;
    picture.src = source;
    figure.hidden = false;
  } catch (error) { // the text is there all the same
    if (turn !== opened) return;
    note.textContent = error.message;
    note.hidden = false;
  }
}

function address(domain, what, citation, others = {}) {
  const asked = new URLSearchParams({ source: citation.source, start: citation.start, end: citation.end, ...others });
  return `/domains/${encodeURIComponent(domain)}/${what}?${asked}`;
}
