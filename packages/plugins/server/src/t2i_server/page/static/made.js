// How a picture was made, and whether it comes out the same when it is drawn again.

import * as api from "./api.js";
import { byId, element, sourceOf } from "./dom.js";

/** Show how the picture in a file was made. */
export async function inspect(file, say) {
  if (!file) return;
  let made;
  try {
    made = await api.provenance(file);
  } catch (error) {
    say(error.message, true);
    return;
  }
  const facts = { prompt: made.prompt, "typed as": made.typed, model: made.model, seed: made.seed, options: JSON.stringify(made.options), versions: Object.entries(made.versions).map((each) => each.join(" ")).join(", ") };
  byId("made-facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value !== "").flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
  const original = element("img");
  original.alt = "the picture";
  original.src = URL.createObjectURL(file);
  byId("made-pictures").replaceChildren(original);
  const can = made.served_as !== null && Number.isSafeInteger(made.seed);
  byId("made-says").textContent = can ? "" : "No model with these weights is served here, so it cannot be drawn again.";
  byId("again").disabled = !can;
  byId("again").onclick = () => drawAgain(made, original);
  byId("made").showModal();
}

async function drawAgain(made, original) {
  const request = { prompt: made.prompt, seed: made.seed, model: made.served_as, n: 1, ...made.options };
  const again = element("img");
  again.alt = "the picture, drawn again";
  try {
    await api.draw(request, new AbortController().signal, (event) => {
      again.src = sourceOf(event);
    }, () => {});
    await Promise.all([again.decode(), original.decode()]);
  } catch (error) {
    byId("made-says").textContent = error.message;
    return;
  }
  byId("made-pictures").replaceChildren(original, again);
  byId("made-says").textContent = difference(original, again);
}

/** How far the pixels of two pictures are apart, in words. */
function difference(one, other) {
  if (one.naturalWidth !== other.naturalWidth || one.naturalHeight !== other.naturalHeight) return "Drawn again, in another size.";
  const [first, second] = [pixels(one), pixels(other)];
  let largest = 0;
  for (let place = 0; place < first.length; place += 1) largest = Math.max(largest, Math.abs(first[place] - second[place]));
  return largest === 0 ? "Drawn again: every pixel is the same." : `Drawn again: pixels differ by up to ${largest} of 255.`;
}

function pixels(image) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, canvas.width, canvas.height).data;
}
