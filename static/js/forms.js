// Marks a sent form as busy, so that an impatient second press does nothing. Every form works without this file.
"use strict";

const sent = new Set();
const idle = new Map(); // what stood on a button before it was busy

addEventListener("submit", (event) => {
  const { target: form, submitter: button } = event;
  if (sent.has(form)) {
    event.preventDefault();
    return;
  }
  sent.add(form);
  // Later, because a disabled button would not be sent along with its form.
  setTimeout(() => {
    if (form.hasAttribute("data-stays")) setTimeout(makeUsable, 3000); // what comes is saved, and this page stays
    if (!button) return;
    button.disabled = true;
    if (!button.dataset.busy) return;
    idle.set(button, [...button.childNodes]);
    button.textContent = button.dataset.busy;
  });
});

const makeUsable = () => {
  sent.clear();
  for (const button of document.querySelectorAll("button:disabled")) {
    button.disabled = false;
    if (idle.has(button)) button.replaceChildren(...idle.get(button));
  }
};

// The pay page may lead on to an address that the shop's policy does not list. The browser then stays
// where it is and says nothing to its reader, so the page does, and is no longer busy.
addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
  if (effectiveDirective !== "form-action") return;
  for (const words of document.querySelectorAll("[data-stopped]")) words.hidden = false;
  makeUsable();
});

// The back button may bring a page back as it was left: busy.
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) makeUsable();
});

// A page that answers a form has no address of its own to go back to: the browser would ask to send the form again.
const again = document.querySelector("[data-again]");
if (again) history.replaceState(null, "", again.dataset.again);
