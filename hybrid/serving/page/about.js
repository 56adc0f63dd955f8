// The dialog about a domain: the arm that answers and why, what the index holds, and files to add.

import { get, fetched, upload } from "/page/server.js";
import { el, facts, named, plural, table } from "/page/parts.js";

const dialog = document.getElementById("about");
const files = document.getElementById("files");
const uploads = document.getElementById("uploads");
let shown = "";
let most = Infinity; // megabytes

/** Open the dialog about a domain. */
export async function openAbout(domain) {
  shown = domain;
  document.getElementById("about-title").textContent = `The domain ${domain}`;
  uploads.replaceChildren();
  for (const part of ["decision", "state"]) document.getElementById(part).replaceChildren(el("p", { className: "note" }, "Looking…"));
  dialog.showModal();
  await Promise.all([filled("decision", `/domains/${encodeURIComponent(domain)}/decision`, decision), showState(domain)]);
}

function showState(domain) {
  return filled("state", `/domains/${encodeURIComponent(domain)}`, state);
}

async function filled(id, path, shownAs) {
  const part = document.getElementById(id);
  try {
    part.replaceChildren(...shownAs(await get(path)));
  } catch (error) {
    part.replaceChildren(el("p", { className: "warning" }, error.message));
  }
}

function decision(found) {
  const shown = [el("p", {}, found.arm ? ["Questions are answered by ", el("b", {}, found.arm), ". "] : "Nothing was decided yet; questions are answered by rag."), el("p", {}, found.sentence)];
  if (found.arms.length) {
    const rows = found.arms.map((arm) => [arm.arm, percent(arm.mean), `${percent(arm.lower)} to ${percent(arm.upper)}`, arm.seconds < 0.095 ? "under 0.1 s" : `${arm.seconds.toFixed(1)} s`]);
    shown.push(table(["Arm", found.metric, "interval", "an answer takes"], rows, `What each arm scored on ${plural(found.questions, "question")}`));
  }
  if (found.report) {
    const whole = el("button", { type: "button", onclick: () => openReport(whole) }, "Open the whole report");
    shown.push(whole);
  }
  return shown;
}

/** Open the report in a tab of its own; a plain link could not carry the key of the server. */
async function openReport(button) {
  const address = `/domains/${encodeURIComponent(shown)}/report`;
  if (!sessionStorage.getItem("token")) return void window.open(address, "_blank", "noopener");
  const saved = await fetched(address);
  el("a", { href: saved, download: `${shown}-report.html` }).click();
  button.after(el("p", { className: "note" }, "Saved: open the file in a browser."));
  setTimeout(() => URL.revokeObjectURL(saved), 10_000);
}

function state(found) {
  most = found.max_megabytes;
  document.getElementById("upload-note").textContent = `Up to ${found.max_megabytes} MB each: ${found.suffixes.join(" ")}`;
  files.accept = found.suffixes.join(",");
  const stale = found.stale && `${found.stale.added} files came, ${found.stale.changed} changed and ${found.stale.removed} went since it was indexed`;
  const list = [facts({
    Documents: found.documents.toLocaleString("en"),
    Passages: found.chunks.toLocaleString("en"),
    "Found by": found.embedder,
    Generation: found.generation,
    Folder: stale,
    "Not read": found.rejected.length ? plural(found.rejected.length, "file") : "",
  })];
  if (found.rejected.length) list.push(el("details", {}, el("summary", {}, "Why files were not read"), el("ul", {}, found.rejected.map((one) => el("li", { className: "note" }, `${named(one.source)}: ${one.reason}`)))));
  if (found.titles.length) list.push(el("details", {}, el("summary", {}, "Documents by title"), el("ul", {}, found.titles.map((title) => el("li", { className: "note" }, named(title))))));
  return list;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

files.addEventListener("change", async () => {
  const [domain, chosen] = [shown, [...files.files]];
  files.value = "";
  const rows = chosen.map((file) => [file, row(file)]);
  for (const [file, its] of rows) await send(domain, file, its); // the index has one writer
  if (rows.length && shown === domain) await showState(domain);
});

function row(file) {
  const told = el("span", { className: "note" }, "waits");
  const bar = el("progress", { max: 1, value: 0, "aria-label": `Progress of ${file.name}` });
  const line = el("li", {}, el("b", {}, file.name), bar, told);
  uploads.append(line);
  line.scrollIntoView({ block: "nearest" });
  return { bar, told };
}

const STAGES = { reading: 0.35, embedding: 0.5, building: 0.8 };

async function send(domain, file, { bar, told }) {
  const path = `/uploads/${encodeURIComponent(domain)}?name=${encodeURIComponent(file.name)}`;
  let outcome = null;
  try {
    if (file.size > most * 2 ** 20) throw new Error(`larger than the limit of ${most} MB`);
    await upload(path, file, {
      onSent: (share) => {
        bar.value = 0.35 * share;
        told.textContent = "is sent";
      },
      onTold: (line) => {
        if (line.stage) {
          bar.value = STAGES[line.stage] + 0.2 * (line.done / Math.max(line.total, 1));
          told.textContent = `${line.stage} ${line.done} of ${line.total}`;
        } else outcome = line;
      },
    });
  } catch (error) {
    outcome = { error };
  }
  bar.value = 1;
  const lost = outcome?.error?.message ?? (outcome ? "" : "the server stopped before it was done");
  told.className = lost ? "warning" : "note";
  if (lost) told.textContent = lost;
  else told.textContent = outcome.characters ? `indexed: ${plural(outcome.characters, "character")} in ${outcome.seconds.toFixed(1)} s` : "is there already";
  if (lost) bar.hidden = true;
}
