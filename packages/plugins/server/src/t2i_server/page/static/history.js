// What was drawn, in this browser only: the requests, from which the same pictures are drawn again.

const NAME = "t2i-history";
const MOST = 100;

export function read() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) ?? [];
  } catch {
    return [];
  }
}

export function remember(made) {
  const others = read().filter((each) => JSON.stringify(each) !== JSON.stringify(made));
  localStorage.setItem(NAME, JSON.stringify([made, ...others].slice(0, MOST)));
}

export function forget() {
  localStorage.removeItem(NAME);
}
