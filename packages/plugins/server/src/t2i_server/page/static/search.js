// What was drawn and written earlier, found by words or by meaning.

import * as api from "./api.js";
import { byId, element } from "./dom.js";
import { button } from "./pictures.js";

/** Search and show the hits; `use` is called with the one that is chosen. */
export async function search(event, use, say) {
  event.preventDefault();
  const { q, by } = event.target;
  try {
    const hits = await api.search(q.value, by.value);
    byId("hits").replaceChildren(...hits.map((found) => hit(found, use)));
    say(hits.length ? `${hits.length} found.` : "Nothing found.");
  } catch (error) {
    say(error.message, true);
  }
}

function hit(found, use) {
  const item = element("li");
  const figure = element("figure");
  if (found.thumbnail) {
    const image = element("img", "", "small");
    image.src = found.thumbnail;
    image.alt = found.prompt;
    figure.append(image);
  } else {
    figure.append(element("blockquote", found.text || found.prompt));
  }
  const facts = [found.thumbnail ? found.prompt : "", found.model, found.seed === null ? "" : `seed ${found.seed}`];
  const prompt = found.thumbnail ? found.prompt : found.text;
  figure.append(element("figcaption", facts.filter(Boolean).join(", ")), button("Use", "Put it into the form", () => {
    use({ prompt, model: found.model, seed: found.seed ?? "", options: found.options });
  }));
  item.append(figure);
  return item;
}
