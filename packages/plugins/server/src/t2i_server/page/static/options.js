// The options of a model as form fields, made from their schema.

import { element } from "./dom.js";

/** Fill `place` with a field for each option. */
export function showOptions(place, options) {
  place.replaceChildren(...Object.entries(options).map(([name, schema]) => field(name, schema)));
}

/** The options whose value is not the default. */
export function chosenOptions(place) {
  const chosen = {};
  for (const input of place.querySelectorAll("[data-option]")) {
    const schema = JSON.parse(input.dataset.schema);
    const value = read(input, schema);
    if (value !== undefined && JSON.stringify(value) !== JSON.stringify(schema.default)) chosen[input.dataset.option] = value;
  }
  return chosen;
}

/** Set the fields to these values, the others to their defaults. */
export function setOptions(place, values) {
  for (const input of place.querySelectorAll("[data-option]")) {
    const value = values[input.dataset.option] ?? JSON.parse(input.dataset.schema).default;
    if (input.type === "checkbox") input.checked = Boolean(value);
    else input.value = typeof value === "object" ? JSON.stringify(value) : String(value);
  }
}

function field(name, schema) {
  const label = element("label");
  const input = element(schema.enum ? "select" : "input");
  if (schema.enum) {
    input.append(...schema.enum.map((value) => new Option(String(value), String(value))));
  } else if (schema.type === "boolean") {
    input.type = "checkbox";
  } else if (schema.type === "number" || schema.type === "integer") {
    input.type = "number";
    input.step = schema.type === "integer" ? "1" : "any";
    const least = schema.minimum ?? schema.exclusiveMinimum;
    const most = schema.maximum ?? schema.exclusiveMaximum;
    if (least !== undefined) input.min = least;
    if (most !== undefined) input.max = most;
    input.required = true;
  }
  input.dataset.option = name;
  input.dataset.schema = JSON.stringify(schema);
  const hint = element("span", schema.description, "faint");
  hint.id = `hint-${name}`;
  input.setAttribute("aria-describedby", hint.id);
  label.append(name.replaceAll("_", " "), input, hint);
  const holder = element("div");
  holder.append(label);
  setOptions(holder, {});
  return holder;
}

function read(input, schema) {
  if (input.type === "checkbox") return input.checked;
  if (input.type === "number") return input.value === "" ? undefined : Number(input.value);
  if (schema.enum) return schema.enum.find((value) => String(value) === input.value);
  if (schema.type === "string") return input.value;
  try {
    return JSON.parse(input.value);
  } catch {
    return input.value; // the server says what is wrong with it
  }
}
