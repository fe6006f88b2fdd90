// The command and the Python that draw a picture again.

/** `t2i generate ...`, quoted for a POSIX shell. */
export function command(made) {
  const options = Object.entries(made.options).map(([name, value]) => `--option ${quoted(`${name}=${plain(value)}`)}`);
  return ["t2i generate", quoted(made.prompt), `--model ${quoted(made.model)}`, `--seed ${made.seed}`, ...options, `-o ${slug(made)}.png`].join(" ");
}

export function python(made) {
  const options = Object.entries(made.options).map(([name, value]) => `, ${name}=${literal(value)}`);
  return `import t2i\n\npipe = t2i.pipeline(${literal(made.model)})\npipe(${literal(made.prompt)}, seed=${made.seed}${options.join("")})[0].save("${slug(made)}.png")\n`;
}

/** A file name without its suffix. */
export function slug(made) {
  const words = made.prompt.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  return `${words || "picture"}-${made.seed}`;
}

/** Copy text, also where the browser gives pages without TLS no clipboard. */
export async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function quoted(text) {
  return /^[\w.=:\/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function plain(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  return JSON.stringify(value);
}
