// Auto, Light or Dark, kept on this device. A classic script, so that no page flashes. Attributes: README.md.

(() => {
  const KEY = "foyer-mode";
  const root = document.documentElement;
  const read = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be forbidden; the choice then lasts for this page
    }
  };
  const keep = (mode) => {
    try {
      localStorage.setItem(KEY, mode);
    } catch {
      return false;
    }
    return true;
  };

  const chosen = read();
  if (chosen) root.dataset.mode = chosen;

  const show = (chooser) => {
    const birth = getComputedStyle(root).getPropertyValue("--mode-at-birth").trim();
    const mode = root.dataset.mode || birth || "auto";
    for (const option of chooser.querySelectorAll("[data-mode-set]")) {
      option.setAttribute("aria-pressed", option.dataset.modeSet === mode);
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    const choosers = [...document.querySelectorAll("[data-mode-chooser]")];
    for (const chooser of choosers) {
      chooser.hidden = false;
      show(chooser);
      chooser.addEventListener("click", (event) => {
        const option = event.target.closest("[data-mode-set]");
        if (!option) return;
        root.dataset.mode = option.dataset.modeSet;
        keep(option.dataset.modeSet);
        choosers.forEach(show);
      });
    }
  });
})();
