// The server's API: requests with the key, and streams of events.

const KEY = "t2i-key";

/** An answer that is an error: its message, and its status. */
export class Refused extends Error {
  constructor(message, status, seconds) {
    super(message);
    this.status = status;
    this.seconds = seconds; // to wait, if the server is busy
  }
}

export function useKey(key) {
  sessionStorage.setItem(KEY, key);
}

async function ask(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  const response = await fetch(path, { ...options, headers });
  if (response.ok) return response;
  let message = `The server answered ${response.status}.`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // not in JSON: a proxy between here and the server
  }
  throw new Refused(message, response.status, Number(response.headers.get("Retry-After")));
}

export async function models() {
  const { data } = await (await ask("/v1/models")).json();
  return data.filter((model) => model.kind === "image");
}

export async function search(q, by) {
  return (await (await ask(`/search?${new URLSearchParams({ q, by, n: 24 })}`)).json()).data;
}

export async function provenance(file) {
  return (await ask("/v1/provenance", { method: "POST", headers: { "Content-Type": file.type }, body: file })).json();
}

/** Draw, and call `got` with each event: partial_image and completed. Waits and asks again while the server is busy. */
export async function draw(request, signal, got, waits) {
  const options = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...request, stream: true }),
    signal,
  };
  for (;;) {
    try {
      await events(await ask("/v1/images/generations", options), got);
      return;
    } catch (error) {
      if (error.status !== 429 || !error.seconds) throw error;
      waits(error.seconds);
      await pause(error.seconds * 1000, signal);
    }
  }
}

async function events(response, got) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      const event = JSON.parse(data.slice(6));
      if (event.error) throw new Refused(event.error.message, 500);
      got(event);
    }
  }
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
