// One picture on the page, with what can be done with it.

import { command, copy, python, slug } from "./again.js";

const SMALL = 128; // pixels; smaller pictures are enlarged with hard edges

/** An article for one request, first with a blank place for each picture. Returns the figures. */
export function article(place, title, captions, columns) {
  const holder = document.createElement("article");
  const heading = document.createElement("h3");
  heading.textContent = title;
  const grid = document.createElement("div");
  grid.className = columns ? "grid models" : "grid";
  if (columns) grid.style.gridTemplateColumns = `repeat(${columns}, minmax(8rem, 1fr))`;
  const figures = captions.map((text) => {
    const figure = document.createElement("figure");
    const blank = document.createElement("div");
    blank.className = "blank";
    const caption = document.createElement("figcaption");
    caption.textContent = text;
    figure.append(blank, caption);
    return figure;
  });
  grid.append(...figures);
  holder.append(heading, grid);
  place.prepend(holder);
  return figures;
}

/** Show a picture, or a stage of it, in its figure. */
export function show(figure, event, prompt) {
  const image = figure.querySelector("img") ?? document.createElement("img");
  image.alt = prompt;
  image.src = `data:image/${event.output_format};base64,${event.b64_json}`;
  image.onload = () => image.classList.toggle("small", image.naturalWidth < SMALL);
  figure.querySelector(".blank")?.replaceWith(image);
}

/** The caption and the buttons of a picture that is complete. `vary` is called with what to change. */
export function finish(figure, made, unread, vary, say) {
  const caption = figure.querySelector("figcaption");
  caption.textContent = `${made.model}, seed ${made.seed}`;
  if (unread) {
    const note = document.createElement("div");
    note.textContent = unread;
    caption.append(note);
  }
  const row = document.createElement("div");
  row.className = "row";
  const link = document.createElement("a");
  link.className = "button";
  link.textContent = "Save";
  link.href = figure.querySelector("img").src;
  link.download = `${slug(made)}.png`;
  row.append(
    button("Command", "Copy the command that draws this picture", () => copied(command(made), "command", say)),
    button("Python", "Copy the Python that draws this picture", () => copied(python(made), "Python", say)),
    button("Other words", "Same seed, other words", () => vary("words", made)),
    button("Other seeds", "Same words, other seeds", () => vary("seeds", made)),
    link,
  );
  figure.append(row);
}

/** A place whose picture does not come. */
export function fail(figure) {
  const blank = figure.querySelector(".blank");
  if (blank) figure.remove();
}

export function button(text, title, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.title = title;
  made.addEventListener("click", action);
  return made;
}

async function copied(text, what, say) {
  try {
    await copy(text);
    say(`The ${what} is in the clipboard.`);
  } catch {
    window.prompt(`Copy the ${what}:`, text);
  }
}
