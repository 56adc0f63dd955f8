// The conversation: a question goes out, its answer comes in pieces, then what it rests on and what speaks against it.

import { openAbout } from "/page/about.js";
import { compare } from "/page/arms.js";
import { answerNodes, el, named, placeButton, plural, say } from "/page/parts.js";
import { openDocument } from "/page/reading.js";
import { get, post, streamed } from "/page/server.js";
import { reasons } from "/page/why.js";

const $ = (id) => document.getElementById(id);
const REMEMBERED = 12; // turns that go along with a question
const DOUBTED = {
  contradicted: "The passages say otherwise",
  "not in evidence": "No passage says this",
  unclear: "The passages leave this open",
  "unsupported language": "Not checked: the judge does not know this language",
  "not judged": "Not checked: the judge came to no number",
};

let domains = [];
let said = []; // what a model is told of the conversation
let under = null; // what stops the answer under way

// --- the choices above --------------------------------------------------------------------------

async function begin() {
  try {
    domains = (await get("/domains")).domains;
  } catch (error) {
    $("welcome").append(el("p", { className: "warning", role: "alert" }, error.message));
    return;
  }
  const names = domains.map((one) => el("option", { value: one.name }, one.name));
  const any = domains.length > 1 ? [el("option", { value: "" }, "the one that fits")] : [];
  $("domain").replaceChildren(...any, ...names);
  chosen();
}

function chosen() {
  const own = domains.find((one) => one.name === $("domain").value);
  $("about-open").disabled = !own;
  $("arm").replaceChildren(el("option", { value: "auto" }, own?.decided ? `decided: ${own.decided.split(":")[0]}` : "default"), ...(own?.arms ?? []).map((arm) => el("option", { value: arm }, arm)));
  $("shelf").replaceChildren(...(own?.titles ?? []).map((title) => el("li", {}, named(title))));
  if (own?.error) $("shelf").append(el("li", { className: "warning" }, own.error));
  $("blind").disabled = !own;
  if (!own) $("blind").checked = false;
}

function model() {
  const domain = $("domain").value;
  return domain ? `hybrid/${domain}/${$("arm").value}` : "hybrid/auto";
}

// --- a question and its answer ------------------------------------------------------------------

async function asked(event) {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || under) return;
  $("question").value = "";
  $("welcome").hidden = true;
  under = new AbortController();
  busy(true);
  try {
    if ($("blind").checked) await compare(turn("side-by-side", question), question, $("domain").value, under.signal);
    else await answer(turn("turn", question), question, under.signal);
  } finally {
    under = null;
    busy(false);
  }
}

function busy(now) {
  $("stop").hidden = !now;
  $("ask").querySelector(".first").hidden = now;
  $("anew").hidden = now || !said.length;
  if (!now && document.activeElement === document.body) $("question").focus();
}

function turn(template, question) {
  const article = $(template).content.cloneNode(true).firstElementChild;
  const shown = article.querySelector(".asked");
  shown.textContent = question;
  $("turns").append(article);
  if (shown.scrollHeight > shown.clientHeight) shown.tabIndex = 0; // a long one is read by keys too
  article.scrollIntoView({ block: "start" });
  return article;
}

async function answer(article, question, signal) {
  const asked = { model: model(), messages: [...said.slice(-REMEMBERED), { role: "user", content: question }], stream: true, stream_options: { include_usage: true } };
  const text = article.querySelector(".text");
  article.setAttribute("aria-busy", "true"); // a screen reader waits for the whole
  say("Answering");
  let found = null;
  let tokens = null;
  try {
    for await (const chunk of streamed("/v1/chat/completions", asked, signal)) {
      text.append(chunk.choices[0]?.delta?.content ?? "");
      tokens = chunk.usage ?? tokens;
      if (chunk.hybrid) found = { ...chunk.hybrid, id: chunk.id, citations: chunk.citations };
    }
  } catch (error) {
    return failed(article, error);
  } finally {
    article.removeAttribute("aria-busy");
  }
  said.push(asked.messages.at(-1), { role: "assistant", content: text.textContent });
  say("The answer is there");
  if (found) await explained(article, { ...found, tokens, text: text.textContent, passages: [], because: "" });
}

function failed(article, error) {
  const shown = article.querySelector(".failed");
  shown.textContent = error.name === "AbortError" ? "Stopped." : error.message;
  shown.hidden = false;
  say(shown.textContent);
}

/** Show what an answer rests on, once it is there: sources at once, what the judge says when it has said it. */
async function explained(article, answer) {
  const open = (citation) => openDocument(answer.domain, citation);
  shown(article, answer, [], open);
  try {
    const path = `/v1/answers/${encodeURIComponent(answer.id)}`;
    const kept = await get(path);
    Object.assign(answer, { passages: kept.passages, because: kept.because, seconds: kept.answer.seconds, trace: kept.answer.trace });
    votes(article, answer.id);
    tell(article, ".checking", "It is held against its passages…");
    answer.claims = (await get(`${path}/claims`)).claims;
    article.querySelector(".checking").hidden = true;
    if (answer.claims) doubted(article, answer, open);
  } catch (error) { // the answer and its sources are there all the same
    tell(article, ".checking", `Not checked: ${error.message}`);
  }
  reasons(article, answer, open);
}

function shown(article, answer, doubts, open) {
  article.querySelector(".text").replaceChildren(...answerNodes(answer.text, answer.citations, doubts, open));
  if (answer.standalone) tell(article, ".meant", `Understood as: ${answer.standalone}`);
  if (answer.incomplete) tell(article, ".failed", `The answer ends before its end: ${answer.incomplete}.`);
  const declined = answer.outcome === "declined";
  if (["base", "adapter"].includes(answer.arm) && !declined) {
    tell(article, ".memory", "Written from the model's memory, without any document: nothing carries it.");
    article.querySelector(".text").classList.add("doubt", "unclear");
  }
  const places = declined ? answer.closest : answer.citations;
  if (!places.length) return;
  const list = article.querySelector(".sources");
  list.hidden = false;
  list.querySelector("h3").textContent = declined ? "Closest places" : plural(places.length, "source");
  list.querySelector("ol").replaceChildren(...places.map((one) => el("li", {}, placeButton(one, one.number, open))));
}

function tell(article, part, text) {
  const shown = article.querySelector(part);
  shown.textContent = text;
  shown.hidden = false;
}

let counted = 0;

function doubted(article, answer, open) {
  const doubts = answer.claims.filter((claim) => DOUBTED[claim.status]).map((claim) => ({ ...claim, ...claim.span, unclear: !["contradicted", "not in evidence"].includes(claim.status), id: `doubt-${(counted += 1)}` }));
  if (!doubts.length) return;
  shown(article, answer, doubts, open);
  const list = article.querySelector(".doubts");
  list.hidden = false;
  if (doubts.every((one) => one.unclear)) list.querySelector("h3").textContent = "What is left open";
  list.querySelector("ol").replaceChildren(...doubts.map((one) => doubt(one, answer, open)));
  say(`${plural(doubts.length, "statement")} of the answer not carried by the passages`);
}

function doubt(claim, answer, open) {
  const likely = claim.support === null ? "" : ` (support ${claim.support.toFixed(2)})`;
  const against = claim.findings.map((one) => `${one.doubt} (${one.text})`).join(", ");
  return el("li", { id: claim.id, className: claim.unclear ? "unclear" : "" },
    el("b", {}, DOUBTED[claim.status]), likely, ": ", el("q", {}, claim.text),
    against && el("p", { className: "note" }, `In doubt: ${against}`),
    claim.places.length ? el("p", {}, claim.places.length > 1 ? "There it says, in several places:" : "There it says:") : null,
    claim.places.map((place) => [el("blockquote", {}, place.text), placeButton(place, "→", open)]));
}

// --- votes --------------------------------------------------------------------------------------

function votes(article, id) {
  const part = article.querySelector(".verdict");
  const [note, form] = [part.querySelector(".note"), part.querySelector("form")];
  let value = 0;
  const send = async (comment) => {
    try {
      await post("/feedback", { answer: id, value, comment });
      note.textContent = comment ? "Vote and comment are kept." : "The vote is kept.";
      return true;
    } catch (error) {
      note.textContent = error.message;
      return false;
    }
  };
  part.hidden = false;
  for (const button of part.querySelectorAll("[data-vote]")) {
    button.addEventListener("click", async () => {
      value = Number(button.dataset.vote);
      if (!(await send(""))) return;
      part.querySelectorAll("[data-vote]").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
      form.querySelector("label").firstChild.textContent = value > 0 ? "What was good about it? " : "What should it have said? ";
      form.hidden = false;
    });
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const comment = form.querySelector("textarea").value.trim();
    if (comment && (await send(comment))) form.hidden = true;
  });
}

// --- what keys and buttons do -------------------------------------------------------------------

$("ask").addEventListener("submit", asked);
$("stop").addEventListener("click", () => under?.abort());
$("domain").addEventListener("change", chosen);
$("about-open").addEventListener("click", () => openAbout($("domain").value));
$("anew").addEventListener("click", () => {
  said = [];
  $("turns").replaceChildren();
  $("welcome").hidden = false;
  $("anew").hidden = true;
  $("question").focus();
});
$("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("ask").requestSubmit();
});
document.addEventListener("keydown", (event) => {
  const writes = event.target.closest("input, textarea, select, dialog[open]");
  if (event.key !== "/" || writes || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  $("question").focus();
});
for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());

// --- a link to a place, as answers in other programs carry it ------------------------------------

function linked() {
  const link = new URLSearchParams(location.hash.slice(1));
  if (!link.get("source")) return;
  const [start, end] = [Number(link.get("start")), Number(link.get("end"))];
  openDocument(link.get("domain"), { source: link.get("source"), start, end });
}

window.addEventListener("hashchange", linked);
linked();
begin();
