// What was drawn and written earlier, found by words or by meaning.

import * as api from "./api.js";
import { button } from "./pictures.js";

/** Search and show the hits; `use` is called with the one that is chosen. */
export async function search(event, use, say) {
  event.preventDefault();
  const { q, by } = event.target;
  try {
    const hits = await api.search(q.value, by.value);
    document.getElementById("hits").replaceChildren(...hits.map((found) => hit(found, use)));
    say(hits.length ? `${hits.length} found.` : "Nothing found.");
  } catch (error) {
    say(error.message, true);
  }
}

function hit(found, use) {
  const item = document.createElement("li");
  const figure = document.createElement("figure");
  const caption = document.createElement("figcaption");
  if (found.thumbnail) {
    const image = document.createElement("img");
    image.src = found.thumbnail;
    image.alt = found.prompt;
    image.className = "small";
    figure.append(image);
  } else {
    const text = document.createElement("blockquote");
    text.textContent = found.text || found.prompt;
    figure.append(text);
  }
  const facts = [found.thumbnail ? found.prompt : "", found.model, found.seed === null ? "" : `seed ${found.seed}`];
  caption.textContent = facts.filter(Boolean).join(", ");
  const prompt = found.thumbnail ? found.prompt : found.text;
  figure.append(caption, button("Use", "Put it into the form", () => {
    use({ prompt, model: found.model, seed: found.seed ?? "", options: found.options });
  }));
  item.append(figure);
  return item;
}
