// Why an answer: the domain and its chances, the arm and what speaks for it, the passages, the cost, the trace.

import { chances, el, facts, placeButton } from "/page/parts.js";
import { get } from "/page/server.js";

/** Fill the part of a turn that says how its answer came about, when it is opened. */
export function reasons(article, answer, open) {
  const part = article.querySelector(".why");
  if (!answer.variant && !answer.route) return; // a greeting has no reasons
  part.hidden = false;
  part.querySelector("div").replaceChildren(...told(answer, open));
  part.addEventListener("toggle", () => waterfall(part.querySelector("div"), answer.trace), { once: true });
}

function told(answer, open) {
  const shown = [];
  if (answer.route) {
    shown.push(el("h3", {}, "Domain"), el("p", {}, `${answer.domain || "None of the domains"}: ${answer.route.reason}.`),
      chances(answer.route.chances.map((one) => [one.domain || "none of these", one.probability])));
  }
  if (answer.variant) {
    shown.push(el("h3", {}, "Arm"), el("p", {}, `${answer.variant}: ${answer.arm_route?.reason || answer.because || "nothing was decided yet"}`));
    if (answer.arm_route?.chances.length) shown.push(chances(answer.arm_route.chances.map((one) => [one.arm, one.expected])));
  }
  if (answer.passages.length) shown.push(el("h3", {}, "Passages that it was given"), el("ol", {}, answer.passages.map((one) => el("li", {}, placeButton(one, one.number, open)))));
  shown.push(el("h3", {}, "Cost"), facts({
    Confidence: answer.confidence === null ? "none" : `${answer.confidence.toFixed(2)}, not calibrated`,
    Tokens: answer.tokens?.total_tokens && `${answer.tokens.prompt_tokens.toLocaleString("en")} read, ${answer.tokens.completion_tokens.toLocaleString("en")} written`,
    Time: answer.seconds === undefined ? "" : `${answer.seconds.toFixed(2)} s`,
  }));
  return shown;
}

/** Show the stages of an answer by when they began and ended, where the server keeps traces. */
async function waterfall(part, trace) {
  if (!trace) return;
  let spans = [];
  try {
    spans = (await get(`/traces/${encodeURIComponent(trace)}`)).spans;
  } catch (error) {
    return void part.append(el("p", { className: "note" }, `No stages: ${error.message}`)); // settings or age decide
  }
  const [begun, ended] = [Math.min(...spans.map((one) => one.start)), Math.max(...spans.map((one) => one.end))];
  const scale = 1000 / Math.max(ended - begun, 1);
  part.append(el("h3", {}, "Stages"), el("div", { className: "waterfall" }, spans.map((one) => [
    el("span", {}, one.name), bar((one.start - begun) * scale, Math.max((one.end - one.start) * scale, 4)),
    el("span", {}, lasted(one.end - one.start))])));
}

function lasted(nanoseconds) {
  return nanoseconds < 1e9 ? `${(nanoseconds / 1e6).toFixed(1)} ms` : `${(nanoseconds / 1e9).toFixed(2)} s`;
}

function bar(x, width) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const rect = document.createElementNS(space, "rect");
  for (const [name, value] of Object.entries({ viewBox: "0 0 1000 10", preserveAspectRatio: "none", "aria-hidden": "true" })) svg.setAttribute(name, value);
  for (const [name, value] of Object.entries({ x, width, height: 10 })) rect.setAttribute(name, value);
  svg.append(rect);
  return svg;
}
