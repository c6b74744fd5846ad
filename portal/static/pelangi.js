// Everything works without this file: it only saves a round trip, guards against a second click, and prints.
const form = document.querySelector("form#request");

if (form) {
  let sending = false;
  form.addEventListener("submit", (event) => {
    if (sending) return event.preventDefault();
    if (event.submitter?.value !== "send") return;
    sending = true;
    const button = form.querySelector("button.main");
    button.dataset.words = button.textContent;
    button.textContent = form.dataset.sending;
    button.setAttribute("aria-disabled", "true");
  });
  addEventListener("pageshow", () => {
    if (!sending) return;
    sending = false;
    const button = form.querySelector("button.main");
    button.textContent = button.dataset.words;
    button.removeAttribute("aria-disabled");
  });

  const add = document.getElementById("add-person");
  const persons = document.getElementById("persons");
  const template = document.getElementById("one-more-person");
  add.addEventListener("click", (event) => {
    const number = persons.querySelectorAll("[data-person]").length;
    if (number >= 100) return;
    event.preventDefault();
    const one = document.createElement("div");
    one.innerHTML = template.innerHTML.replaceAll("NEW", number).replaceAll("NUMBER", number + 1);
    persons.append(...one.children);
    document.getElementById(`persons-${number}-name`).focus();
  });
}

document.getElementById("summary")?.focus();

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
