// Keeps the order page current while a payment is open, and lets licence keys be copied. The page works without it.
"use strict";

(() => {
  const box = document.getElementById("status");
  const speaker = document.querySelector("[data-announce]");
  const started = Date.now();
  let timer;

  const pause = () => {
    const minutes = (Date.now() - started) / 60_000;
    if (box.dataset.state === "paid" && minutes < 1) return 1_000; // the goods come in a moment
    if (["expired", "cancelled"].includes(box.dataset.state)) return 60_000; // money may still come late
    return minutes < 3 ? 4_000 : minutes < 15 ? 10_000 : 30_000;
  };

  // The words that matter: minutes left may tick by without the page being replaced.
  const words = (root) => {
    const copy = root.cloneNode(true);
    for (const quiet of copy.querySelectorAll("[data-quiet], [data-copy]")) quiet.remove();
    return copy.textContent.replace(/\s+/g, " ").trim();
  };

  const headline = () => box.querySelector("h1").textContent;

  const offerCopies = () => {
    if (!navigator.clipboard) return;
    for (const button of box.querySelectorAll("[data-copy]")) button.hidden = false;
  };

  const replace = (fresh) => {
    const before = headline();
    const focused = box.contains(document.activeElement);
    const { state, final } = fresh.querySelector("[data-state]").dataset;
    box.replaceChildren(...fresh.childNodes);
    Object.assign(box.dataset, { state, final });
    if (focused) box.querySelector("h1").focus();
    offerCopies();
    document.title = document.title.replace(before, () => headline());
    speaker.textContent = headline();
  };

  const tick = (fresh) => {
    const now = fresh.querySelectorAll("[data-quiet]");
    box.querySelectorAll("[data-quiet]").forEach((quiet, i) => {
      if (now[i]) quiet.textContent = now[i].textContent;
    });
  };

  const show = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html").body;
    if (!page.querySelector("[data-state]")) return;
    if (words(page) === words(box)) tick(page);
    else replace(page);
  };

  const look = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch(box.dataset.statusUrl, { cache: "no-store" });
      if (answer.ok && !box.querySelector("button:disabled")) show(await answer.text());
    } catch {
      // Offline for a moment: the next look will tell.
    }
    wait();
  };

  const wait = () => {
    clearTimeout(timer);
    if (box.dataset.final !== "true" && !document.hidden) timer = setTimeout(look, pause());
  };

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && box.dataset.final !== "true") look();
  });

  box.addEventListener("click", async ({ target }) => {
    const button = target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    speaker.textContent = button.dataset.copy;
    button.firstChild.textContent = button.dataset.copy;
  });

  offerCopies();
  wait();
})();
