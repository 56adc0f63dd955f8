// What the server is asked: JSON, streams of events, pictures; a key is asked for where one is wanted.

const login = document.getElementById("login");

export class Refused extends Error {}

/** Fetch a path; text of a refusal becomes the message of an error. */
async function ask(path, options = {}) {
  for (;;) {
    const token = sessionStorage.getItem("token");
    const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(path, { ...options, headers });
    if (response.ok) return response;
    if (response.status === 401 && (await newToken())) continue;
    throw new Refused(await reason(response));
  }
}

async function reason(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the server answered ${response.status}`;
  }
}

/** Ask for a key; false where the dialog was closed without one. */
function newToken() {
  const field = document.getElementById("token");
  if (!login.open) {
    field.value = "";
    login.returnValue = "";
    login.showModal();
  }
  return new Promise((resolve) => {
    login.addEventListener("close", () => {
      if (field.value) sessionStorage.setItem("token", field.value);
      resolve(Boolean(field.value));
    }, { once: true });
  });
}

function sent(value, signal) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value), signal };
}

export async function get(path) {
  return (await ask(path)).json();
}

export async function post(path, value, signal) {
  return (await ask(path, sent(value, signal))).json();
}

/** Return a file of the server as an address for this page alone; the caller revokes it. */
export async function fetched(path) {
  return URL.createObjectURL(await (await ask(path)).blob());
}

/** Yield the values of a stream of server-sent events until [DONE]. */
export async function* streamed(path, value, signal) {
  for await (const event of split((await ask(path, sent(value, signal))).body, "\n\n")) {
    const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim()).join("\n");
    if (data === "[DONE]") return;
    if (!data) continue;
    const said = JSON.parse(data);
    if (said.error) throw new Refused(said.error.message);
    yield said;
  }
}

/** Send a file, and tell how far it is: sent(share of the bytes), then told(what the server says, line by line). */
export async function upload(path, file, { onSent, onTold }) {
  const request = new XMLHttpRequest();
  request.open("POST", path);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  const token = sessionStorage.getItem("token");
  if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
  request.upload.addEventListener("progress", (event) => onSent(event.loaded / Math.max(event.total, 1)));
  let read = 0;
  request.addEventListener("progress", () => {
    const end = request.responseText.lastIndexOf("\n") + 1;
    if (request.status === 200) request.responseText.slice(read, end).split("\n").filter(Boolean).forEach((line) => onTold(JSON.parse(line)));
    read = end;
  });
  const done = new Promise((resolve, reject) => {
    request.addEventListener("load", resolve);
    request.addEventListener("error", () => reject(new Refused("the server cannot be reached")));
  });
  request.send(file);
  await done;
  if (request.status !== 200) throw new Refused(await reason(new Response(request.responseText, { status: request.status })));
}

async function* split(body, mark) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      const parts = (rest + (value ?? "")).split(mark);
      rest = parts.pop();
      yield* parts;
      if (done) break;
    }
    if (rest) yield rest;
  } finally {
    reader.cancel().catch(() => {}); // a stream that was left gives its place on the server free
  }
}
