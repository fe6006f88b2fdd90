// One picture on the page, with what can be done with it.

import { command, copy, python, slug } from "./again.js";
import { element, sourceOf } from "./dom.js";

const SMALL = 128; // pixels; smaller pictures are enlarged with hard edges

/** An article with a blank place for each picture; `columns` of equally many, one below the other, if not 0. Returns the figures. */
export function article(place, title, captions, columns) {
  const holder = element("article");
  const grid = element("div", "", columns ? "grid models" : "grid");
  if (columns) grid.style.gridTemplateColumns = `repeat(${columns}, minmax(8rem, 1fr))`;
  const figures = captions.map((text, index) => {
    const figure = element("figure");
    if (columns) figure.style.gridColumn = 1 + Math.floor((index * columns) / captions.length);
    figure.append(element("div", "", "blank"), element("figcaption", text));
    return figure;
  });
  grid.append(...figures);
  holder.append(element("h3", title), grid);
  place.prepend(holder);
  return figures;
}

/** Show a picture, or a stage of it, in its figure. */
export function show(figure, event, prompt) {
  const image = figure.querySelector("img") ?? element("img");
  image.alt = prompt;
  image.src = sourceOf(event);
  image.onload = () => image.classList.toggle("small", image.naturalWidth < SMALL);
  figure.querySelector(".blank")?.replaceWith(image);
}

/** The caption and the buttons of a picture that is complete. `vary` is called with what to change. */
export function finish(figure, made, unread, vary, say) {
  const caption = figure.querySelector("figcaption");
  caption.textContent = `${made.model}, seed ${made.seed}`;
  if (unread) caption.append(element("div", unread));
  const row = element("div", "", "row");
  const link = element("a", "Save", "button");
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
  if (figure.querySelector(".blank")) figure.remove();
}

export function button(text, title, action) {
  const made = element("button", text);
  made.type = "button";
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
