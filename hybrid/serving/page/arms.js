// Arms side by side: the answers without their names, a vote, and then who said what.

import { post } from "/page/server.js";
import { answerNodes, el, placeButton, say } from "/page/parts.js";
import { openDocument } from "/page/reading.js";

const ARMS = ["base", "rag", "adapter", "both"];

/** Ask all arms of a domain a question, and show their answers for a blind vote. */
export async function compare(article, question, domain, signal) {
  article.setAttribute("aria-busy", "true");
  const asked = article.querySelector(".arms");
  asked.replaceChildren(el("li", { className: "note" }, "The arms answer…"));
  try {
    show(article, await post("/compare", { question, domain, arms: ARMS }, signal));
  } catch (error) {
    asked.replaceChildren();
    const failed = article.querySelector(".failed");
    failed.textContent = error.name === "AbortError" ? "Stopped." : error.message;
    failed.hidden = false;
    article.querySelector(".lead").hidden = true;
  } finally {
    article.removeAttribute("aria-busy");
  }
}

function show(article, compared) {
  const open = (citation) => openDocument(compared.domain, citation);
  const cards = compared.answers.map((answer, place) => {
    const name = `Answer ${"ABCDEFGH"[place]}`;
    const vote = el("button", { type: "button", "aria-label": `${name} is the best`, onclick: () => voted(article, compared, answer.id) }, "This is the best");
    const sources = answer.citations.map((one) => el("li", { className: "source" }, placeButton(one, one.number, open)));
    return el("li", { "data-id": answer.id }, el("h3", {}, name),
      el("div", { className: "text" }, answerNodes(answer.text || "It said nothing.", answer.citations, [], open)),
      sources.length ? el("div", {}, sources.map((one) => one.firstChild)) : null, vote);
  });
  article.querySelector(".arms").replaceChildren(...cards);
  const none = article.querySelector(".choice");
  none.hidden = false;
  none.firstElementChild.onclick = () => voted(article, compared, null);
  const missing = Map.groupBy(compared.missing, (one) => one.reason);
  for (const [reason, arms] of missing) article.querySelector(".lead").append(el("br"), `${arms.map((one) => one.arm).join(" and ")} cannot answer here: ${reason}`);
  if (cards.length < 2) none.hidden = true;
  article.scrollIntoView({ block: "start" });
  say(`${cards.length} answers to compare`);
}

async function voted(article, compared, chosen) {
  const outcome = article.querySelector(".outcome");
  try {
    const shown = compared.answers.map((answer) => answer.id);
    const { arms } = await post("/compare/votes", { shown, chosen });
    for (const card of article.querySelectorAll(".arms > li")) {
      const id = card.dataset.id;
      card.querySelector("h3").append(` · ${arms[id]}`);
      card.classList.toggle("best", id === chosen);
      card.lastElementChild.remove();
    }
    article.querySelector(".choice").hidden = true;
    article.querySelector(".lead").firstChild.textContent = "The names were shown after the vote.";
    outcome.textContent = chosen ? `Kept: you preferred ${arms[chosen]}.` : "No preference was kept.";
  } catch (error) {
    outcome.textContent = error.message;
  }
}
