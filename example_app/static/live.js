// An enhancement, not a need: once there is an estimate, a changed answer asks again, so that "what if?" needs no button.
"use strict";

const form = document.querySelector("form");
const answer = document.querySelector("#answer");
const live = answer.querySelector(".charge") !== null;
let waiting;
let asking = new AbortController();

async function ask() {
  asking.abort();
  asking = new AbortController();
  const body = new URLSearchParams(new FormData(form));
  const response = await fetch(form.action, { method: "POST", body, signal: asking.signal });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  answer.replaceChildren(...fresh.querySelector("#answer").childNodes);
  document.querySelector("#spoken").textContent = answer.querySelector(".charge, .empty").textContent;
}

if (live) {
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => ask().catch(() => {}), 300);
  });
}
