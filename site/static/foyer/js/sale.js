// The notice of a sale that is paused, moved, ended or goes on again. Attributes and messages: README.md.

import { enhance } from "./enhance.js";

const language = document.documentElement.lang.startsWith("sv") ? "sv" : "en";

enhance("[data-sale]", (notice) => {
  const data = notice.dataset;
  let number = Number(data.number ?? 0);

  const momentOf = (iso) =>
    new Intl.DateTimeFormat(language, {
      timeZone: data.zone, weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit",
    }).format(new Date(iso));

  const show = (news) => {
    const wasEnded = data.state === "ended";
    number = news.number;
    data.state = news.state;
    for (const part of notice.querySelectorAll("[data-sale-is]")) {
      part.hidden = part.dataset.saleIs !== news.state;
      if (part.hidden) continue;
      const say = part.querySelector("[data-sale-say]");
      say.textContent = news[language];
      say.hidden = news[language] === "";
      const moment = part.querySelector("[data-sale-moment]");
      if (moment && news.opens_at) moment.textContent = momentOf(news.opens_at);
      const again = part.querySelector("[data-sale-again]");
      if (again) again.hidden = !wasEnded;
    }
    document.dispatchEvent(new CustomEvent("sale:changed", { detail: news }));
  };

  document.addEventListener("sale:news", ({ detail }) => detail.number > number && notice.isConnected && show(detail));
});
