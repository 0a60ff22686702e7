// The charting library, fetched when the first chart is wanted, and what all charts share.

import { at, h } from "./dom.js";

let library = null;

/** The library; one request however many charts wait for it. */
export function plotly() {
  library ??= new Promise((done, fail) => {
    const script = h("script", { src: document.querySelector("meta[name=plotly]").content });
    script.addEventListener("load", () => done(globalThis.Plotly));
    script.addEventListener("error", () => {
      library = null;
      script.remove();
      fail(new Error("the charting library could not be loaded"));
    });
    document.head.append(script);
  });
  return library;
}

/** Colours of the present theme by token, as the browser resolves them. */
export function colours(...names) {
  const probe = h("i", { hidden: true });
  document.body.append(probe);
  const found = Object.fromEntries(names.map((name) => {
    probe.style.setProperty("color", `var(--${name})`);
    return [name, getComputedStyle(probe).color];
  }));
  probe.remove();
  return found;
}

/** Layout that every chart starts from. */
export const base = (tint) => ({
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: tint.muted },
  showlegend: false,
  autosize: true,
});

/** An axis with its grid. */
export const axis = (tint, more) => ({ gridcolor: tint.faint, linecolor: tint.line, zerolinecolor: tint.line, zerolinewidth: 1, tickcolor: tint.line, automargin: false, fixedrange: true, ...more });

/** A time as the library shows it unchanged: it takes numbers for local time, and text for what it says. */
export const utc = (ms) => new Date(ms).toISOString().slice(0, 23);

/** The time that the library tells of a point, ms. */
export const fromUtc = (text) => Date.parse(`${String(text).replace(" ", "T")}Z`);

/** What can be done with a chart: nothing by buttons, and on touch nothing that would keep the page from scrolling. */
export const config = { displayModeBar: false, responsive: false, doubleClick: "reset", showTips: false, scrollZoom: false };

/** Whether drags zoom: not by touch, where they scroll the page. */
export const zooms = () => !matchMedia("(pointer: coarse)").matches;

/** Draws at most once a frame and only what is in sight; `draw` is kept until then. */
export function painter(id, draw) {
  const element = at(id);
  let due = false;
  let visible = false;
  let queued = false;
  const paint = async () => {
    queued = false;
    if (!due || !visible || document.hidden || element.clientWidth === 0) return;
    due = false;
    try {
      const library = await plotly();
      if (element.firstElementChild?.className === "wait") element.replaceChildren();
      await draw(library, element);
    } catch (error) {
      element.replaceChildren(h("p", { class: "wait" }, error.message));
    }
  };
  const queue = () => {
    due = true;
    if (queued) return;
    queued = true;
    requestAnimationFrame(paint);
  };
  new IntersectionObserver((entries) => {
    visible = entries.at(-1).isIntersecting;
    if (visible && due) queue();
  }, { rootMargin: "200px" }).observe(element);
  new ResizeObserver(queue).observe(element);
  document.addEventListener("visibilitychange", () => due && queue());
  if (!element.firstChild) element.append(h("p", { class: "wait" }, "Loading the chart"));
  return queue;
}
