// The page: the form, the pictures as they come, search, history, and pictures that are dropped here.

import * as api from "./api.js";
import { byId, element } from "./dom.js";
import * as history from "./history.js";
import { chosenOptions, setOptions, showOptions } from "./options.js";
import { inspect } from "./made.js";
import { article, button, fail, finish, show } from "./pictures.js";
import { search } from "./search.js";

const form = byId("draw");
const most = Number(document.body.dataset.most);
const PARTIAL = 100; // stages shown at most
let models = [];
let drawing = null; // the AbortController of what is being drawn

start();

async function start() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run([asked()]);
  });
  form.prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.model.addEventListener("change", showModel);
  byId("every").addEventListener("click", drawWithEvery);
  byId("stop").addEventListener("click", () => drawing?.abort());
  byId("search")?.addEventListener("submit", (event) => search(event, use, say));
  byId("forget").addEventListener("click", () => {
    history.forget();
    showHistory();
  });
  byId("open").addEventListener("change", (event) => inspect(event.target.files[0], say));
  acceptDrops();
  byId("unlock").addEventListener("submit", (event) => {
    event.preventDefault();
    api.useKey(event.target.key.value);
    byId("locked").close();
    load();
  });
  showHistory();
  await load();
}

async function load() {
  try {
    models = await api.models();
  } catch (error) {
    if (error.status === 401) byId("locked").showModal();
    else say(error.message, true);
    return;
  }
  form.model.replaceChildren(...models.map((model) => new Option(model.id, model.id)));
  byId("every").hidden = models.length < 2;
  showModel();
  say(`${models.length === 1 ? "One model" : `${models.length} models`} ready.`);
}

function showModel() {
  const model = models.find((each) => each.id === form.model.value);
  showOptions(byId("options"), model.options);
  form.querySelector("details").hidden = Object.keys(model.options).length === 0;
  form.stages.closest("label").hidden = model.stages < 2;
}

/** What the form asks for. */
function asked() {
  const seed = form.seed.value === "" ? Math.floor(Math.random() * 2 ** 31) : Number(form.seed.value);
  return { prompt: form.prompt.value.trim(), model: form.model.value, n: Number(form.n.value), seed, options: chosenOptions(byId("options")) };
}

/** Fill the form. */
function fill(made) {
  form.prompt.value = made.prompt;
  if (models.some((model) => model.id === made.model)) form.model.value = made.model;
  showModel();
  setOptions(byId("options"), made.options);
  form.seed.value = made.seed;
  if (made.n) form.n.value = Math.min(made.n, most);
}

/** Put what was found into the form. */
function use(found) {
  fill(found);
  form.prompt.focus();
}

/** Draw requests, one after the other on the server, each picture shown as it comes. */
async function run(requests, columns = 0) {
  if (!form.reportValidity() || drawing) return;
  drawing = new AbortController();
  byId("stop").hidden = false;
  const { prompt } = requests[0];
  const captions = requests.flatMap((each) => Array.from({ length: each.n }, (_, index) => `${each.model}, seed ${each.seed + index}`));
  const figures = article(byId("pictures"), prompt, captions, columns);
  let done = 0;
  say(`Drawing ${figures.length} ${figures.length === 1 ? "picture" : "pictures"} ...`);
  let first = 0;
  const work = requests.map((each) => {
    const own = figures.slice(first, (first += each.n));
    return one(each, own, () => say(`${(done += 1)} of ${figures.length} drawn.`));
  });
  const ended = await Promise.allSettled(work);
  const wrong = ended.find((each) => each.status === "rejected");
  if (wrong) say(wrong.reason.name === "AbortError" ? "Stopped." : wrong.reason.message, wrong.reason.name !== "AbortError");
  requests.filter((_, index) => ended[index].status === "fulfilled").reverse().forEach(history.remember);
  showHistory();
  drawing = null;
  byId("stop").hidden = true;
}

async function one(request, figures, drawn) {
  const model = models.find((each) => each.id === request.model);
  const partial = form.stages.checked && model.stages > 1 ? { partial_images: PARTIAL } : {};
  const { options, ...fields } = request;
  const got = (event) => {
    const figure = figures[event.index];
    show(figure, event, request.prompt);
    if (event.type !== "image_generation.completed") return;
    finish(figure, { ...request, n: 1, seed: event.seed }, event.unread, vary, say);
    drawn();
  };
  try {
    await api.draw({ ...fields, ...options, ...partial }, drawing.signal, got, (seconds) => say(`The server is busy; asking again in ${seconds} s.`));
  } finally {
    figures.forEach(fail);
  }
}

function drawWithEvery() {
  const base = asked();
  run(models.map((model) => ({ ...base, model: model.id, options: model.id === base.model ? base.options : {} })), models.length);
}

function vary(what, made) {
  fill({ ...made, n: Number(form.n.value) });
  if (what === "words") {
    form.prompt.focus();
    form.prompt.select();
    say("Change the words; the seed stays.");
    return;
  }
  form.seed.value = "";
  run([asked()]);
}

function showHistory() {
  const made = history.read();
  byId("history").replaceChildren(...made.map((each) => {
    const item = element("li");
    const text = `${each.prompt} (${each.model}, seed ${each.seed}, ${each.n === 1 ? "1 picture" : `${each.n} pictures`})`;
    item.append(button(text, "Draw it again", () => {
      fill(each);
      run([asked()]);
    }));
    return item;
  }));
  byId("forget").hidden = made.length === 0;
  byId("history-empty").hidden = made.length > 0;
}

function acceptDrops() {
  const dropping = (is) => (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", is);
  };
  addEventListener("dragover", dropping(true));
  addEventListener("dragleave", dropping(false));
  addEventListener("drop", (event) => {
    dropping(false)(event);
    inspect(event.dataTransfer.files[0], say);
  });
}

function say(text, isBad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", isBad);
}
