// An enhancement: once there is a prediction, a changed input sends the form again. The page works without it.
"use strict";
const form = document.querySelector("form");
const answer = document.querySelector("#answer");
let timer;
let request = new AbortController();
async function send() {
  request.abort();
  request = new AbortController();
  const response = await fetch(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(form)), signal: request.signal });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#answer");
  if (!fresh) return;
  answer.replaceChildren(...fresh.childNodes);
  document.querySelector("#spoken").textContent = answer.querySelector(".value, .empty").textContent;
}
if (answer.querySelector(".value")) {
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => send().catch(() => {}), 300); });
}
