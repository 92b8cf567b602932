// Keeps the order page current while a payment is open, tells times in the reader's own zone, and lets licence
// keys be copied. The page works without it.
"use strict";

(() => {
  const box = document.getElementById("status");
  const speaker = document.querySelector("[data-announce]");
  const BRISK = ["opening", "waiting", "checking", "partial", "paid"];
  const started = Date.now();
  let timer;

  const pause = () => {
    const minutes = (Date.now() - started) / 60_000;
    if (box.dataset.state === "paid" && minutes < 1) return 1_000; // the goods come in a moment
    if (!BRISK.includes(box.dataset.state)) return 60_000; // money may come late, a person may decide
    return minutes < 3 ? 4_000 : minutes < 15 ? 10_000 : 30_000;
  };

  // The words that matter: minutes left may tick by without the page being replaced.
  const words = (root) => {
    const copy = root.cloneNode(true);
    for (const quiet of copy.querySelectorAll("[data-quiet], [data-copy], noscript")) quiet.remove();
    return copy.textContent.replace(/\s+/g, " ").trim();
  };

  const headline = () => box.querySelector("h1").textContent;

  // The zone is named, as UTC is in the page. The receipt stays in UTC: it is for more readers than this one.
  const moment = new Intl.DateTimeFormat(document.documentElement.lang.replace(/^en$/, "en-GB"), {
    day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
  });

  const tellOwnTime = (root) => {
    for (const time of root.querySelectorAll("[data-live] time")) {
      if (!time.closest("[data-live=receipt]")) time.textContent = moment.format(new Date(time.dateTime));
    }
  };

  const offerCopies = () => {
    if (!navigator.clipboard) return;
    for (const button of box.querySelectorAll("[data-copy]")) button.hidden = false;
  };

  const replace = (part, fresh) => {
    const focused = part.contains(document.activeElement);
    part.replaceChildren(...fresh.childNodes);
    if (focused) box.querySelector("h1").focus();
  };

  const tick = (part, fresh) => {
    const now = fresh.querySelectorAll("[data-quiet]");
    part.querySelectorAll("[data-quiet]").forEach((quiet, i) => {
      if (now[i]) quiet.textContent = now[i].textContent;
    });
  };

  const show = (html) => {
    const page = new DOMParser().parseFromString(html, "text/html").body;
    const fresh = page.querySelector("#status");
    if (!fresh) return;
    tellOwnTime(page);
    const before = headline();
    for (const part of document.querySelectorAll("[data-live]")) {
      const now = page.querySelector(`[data-live="${part.dataset.live}"]`);
      (words(now) === words(part) ? tick : replace)(part, now);
    }
    Object.assign(box.dataset, { state: fresh.dataset.state, final: fresh.dataset.final });
    offerCopies();
    if (headline() === before) return;
    document.title = document.title.replace(before, () => headline());
    speaker.textContent = headline();
  };

  const look = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch(box.dataset.statusUrl, { cache: "no-store" });
      if (answer.ok && !document.querySelector("main button:disabled")) show(await answer.text());
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

  tellOwnTime(document);
  offerCopies();
  wait();
})();
