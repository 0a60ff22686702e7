// Runs before the first paint, so that a kept choice of colours never flashes the other one.
(() => {
  "use strict";
  try {
    const kept = localStorage.getItem("arb-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch {
    // Storage is forbidden: the system's colours stand.
  }
})();
