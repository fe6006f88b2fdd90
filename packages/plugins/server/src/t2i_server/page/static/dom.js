// Elements of the page: those it has, and new ones.

export const byId = (id) => document.getElementById(id);

/** A new element with a text. */
export function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

/** The URL of the picture in one of the server's events. */
export function sourceOf(event) {
  return `data:image/${event.output_format};base64,${event.b64_json}`;
}
