"use strict";
document.querySelectorAll("form[data-path]").forEach((form) => {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = form.querySelector("output");
    output.textContent = "…";
    try {
      const response = await fetch(form.dataset.path, {
        method: "POST", headers: { "content-type": form.querySelector("select").value }, body: form.querySelector("textarea").value });
      output.textContent = `${response.status} ${await response.text()}`;
    } catch (error) { output.textContent = String(error); }
  });
});
