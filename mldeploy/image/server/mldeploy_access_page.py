"""The responses to requests without an access key: never imported by mldeploy.

A program gets JSON. A browser that opens a page gets one that asks for the key.

The key stays in the tab (`sessionStorage`), and no cookie has it. The page fetches the one that was asked for, with the
key, and shows it in a frame: so each page has a JavaScript world of its own. What it requests of the same origin gets
the key: `fetch`, `XMLHttpRequest`, forms, links, and the scripts, styles and images that it names. WebSockets, event
sources and new tabs do not get it.
"""

from __future__ import annotations

from typing import Any


def make_response(denial: Any, method: str, accept: str) -> tuple[int, list[tuple[str, str]], bytes]:
    """The status, the header fields and the body. denial: of `mldeploy_access_keys`."""
    is_page = denial.status == 401 and method in ("GET", "HEAD") and "text/html" in accept
    body = PAGE if is_page else denial.body()
    kind = "text/html; charset=utf-8" if is_page else "application/json"
    fields = [("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    return denial.status, [*fields, ("Vary", "Accept"), *denial.headers], body


def write_response(denial: Any, method: str, accept: str) -> bytes:
    """The same as HTTP/1.1, after which the connection ends."""
    status, headers, body = make_response(denial, method, accept)
    lines = [f"HTTP/1.1 {status} {denial.reason}", *(f"{name}: {value}" for name, value in headers)]
    head = "\r\n".join((*lines, "Connection: close", "", "")).encode("latin-1")
    return head if method == "HEAD" else head + body


PAGE = rb"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Access key</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 26rem; margin: 15vh auto 0; padding: 0 1rem; }
label { display: block; font-weight: 600; }
input { box-sizing: border-box; width: 100%; font: inherit; padding: .5rem; margin: .25rem 0 1rem; }
button { font: inherit; padding: .5rem 1rem; }
[role=alert] { color: #b3261e; min-height: 1.5em; }
</style>
</head>
<body>
<main>
<h1>Access key</h1>
<p>This app requires an access key.</p>
<form id="mldeploy-access">
<label for="key">Key</label>
<input id="key" type="password" autocomplete="off" spellcheck="false" required autofocus>
<button>Continue</button>
<p role="alert"></p>
<p>The key is kept in this tab until you close it.</p>
</form>
<noscript>This page needs JavaScript. Send the key as a header: <code>Authorization: Bearer KEY</code>.</noscript>
</main>
<script>
"use strict";
(() => {
  const NAME = "mldeploy-access-key", HEADER = "X-API-Key";
  const ASKED = { headers: { Accept: "text/html,*/*;q=0.8" }, cache: "no-store" };
  const isOurs = (url) => new URL(url, location.href).origin === location.origin;
  const main = document.querySelector("main");
  const form = document.getElementById("mldeploy-access"), problem = form.querySelector("[role=alert]");
  let key = "", frame;

  const send = (resource, options) => {
    const request = new Request(resource, options);
    if (isOurs(request.url)) request.headers.set(HEADER, key);
    return fetch(request);
  };

  // What the page in the frame requests of this origin gets the key, too.
  const arm = (page) => {
    const open = page.XMLHttpRequest.prototype.open, plain = page.fetch.bind(page);
    page.fetch = (resource, options) => {
      const request = new page.Request(resource, options);
      if (isOurs(request.url)) request.headers.set(HEADER, key);
      return plain(request);
    };
    page.XMLHttpRequest.prototype.open = function (method, url, ...rest) {
      open.call(this, method, url, ...rest);
      if (isOurs(url)) this.setRequestHeader(HEADER, key);
    };
    page.document.addEventListener("submit", onSubmit);
    page.document.addEventListener("click", onClick);
  };

  const inline = async (page, base) => {
    const kinds = "script[src], link[rel~=stylesheet][href], link[rel~=icon][href], img[src]";
    await Promise.all([...page.querySelectorAll(kinds)].map(async (each) => {
      const attribute = each.hasAttribute("src") ? "src" : "href";
      const url = new URL(each.getAttribute(attribute), base);
      if (url.origin !== location.origin) return;
      const response = await send(url);
      if (!response.ok) return;
      each.setAttribute(attribute, URL.createObjectURL(await response.blob()));
      each.removeAttribute("integrity");
    }));
  };

  const save = async (response) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await response.blob());
    link.download = "";
    link.click();
  };

  const markup = async (response, url) => {
    const kind = response.headers.get("Content-Type") || "", text = await response.text();
    if (!kind.includes("html")) {
      const page = document.implementation.createHTMLDocument(url);
      page.body.append(Object.assign(page.createElement("pre"), { textContent: text }));
      return page;
    }
    const page = new DOMParser().parseFromString(text, "text/html");
    await inline(page, url);
    return page;
  };

  const show = async (response, replace, isPosted = false) => {
    const kind = response.headers.get("Content-Type") || "", url = response.url || location.href;
    if (!/^(text\/|application\/(json|xhtml))/.test(kind)) return save(response);
    const page = await markup(response, url);
    if (isPosted && !response.redirected) {  // the address stays that of a page that can be loaded again
      if (!page.querySelector("base")) page.head.prepend(Object.assign(page.createElement("base"), { href: url }));
    } else {
      history[replace ? "replaceState" : "pushState"]({}, "", url);
    }
    document.title = page.title;
    const next = document.createElement("iframe");
    next.title = "App";
    next.style = "position: fixed; inset: 0; width: 100%; height: 100%; border: 0";
    (frame || main).replaceWith(next);
    frame = next;
    next.contentDocument.open();
    arm(next.contentWindow);
    next.contentDocument.write("<!doctype html>" + page.documentElement.outerHTML);
    next.contentDocument.close();
  };

  const visit = async (resource, options, replace = false) => {
    const response = await send(resource, { ...options, ...ASKED });
    if (response.status === 401) {
      sessionStorage.removeItem(NAME);
      location.reload();
      return;
    }
    await show(response, replace, options && options.method === "POST");
  };

  const onSubmit = (event) => {
    const sent = event.target, button = event.submitter;
    if (event.defaultPrevented || sent.method === "dialog") return;
    const named = (button && button.getAttribute("formaction")) || sent.getAttribute("action");
    const action = new URL(named || location.href, sent.baseURI);
    if (!isOurs(action)) return;
    event.preventDefault();
    const data = new FormData(sent, button);
    if (sent.method !== "post") {
      action.search = new URLSearchParams(data).toString();
      visit(action);
    } else {
      const isParts = sent.enctype === "multipart/form-data";
      visit(action, { method: "POST", body: isParts ? data : new URLSearchParams(data) });
    }
  };

  const onClick = (event) => {
    const link = event.target.closest && event.target.closest("a[href]");
    const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (event.defaultPrevented || !link || !isPlain) return;
    if (link.target || link.protocol === "blob:" || !isOurs(link.href)) return;
    if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
    event.preventDefault();
    visit(link.href);
  };

  const enter = async (value) => {
    key = value;
    let response;
    try {
      response = await send(location.href, ASKED);
    } catch (error) {
      return "The app does not answer, or the key has characters that no key has.";
    }
    if (response.status === 401) {
      sessionStorage.removeItem(NAME);
      return "This key is not valid.";
    }
    if (response.status === 429) return "Too many requests with this key. Try again in a moment.";
    sessionStorage.setItem(NAME, key);
    window.addEventListener("popstate", () => visit(location.href, {}, true));
    await show(response, true);
    return "";
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    problem.textContent = await enter(form.elements.key.value.trim());
  });
  const kept = sessionStorage.getItem(NAME);
  if (kept) enter(kept).then((text) => { problem.textContent = text; });
})();
</script>
</body>
</html>
"""
