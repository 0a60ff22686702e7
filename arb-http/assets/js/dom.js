// Elements without markup in strings: data reaches the page as text only.

// The rows by key of each element that follows a list.
const lists = new WeakMap();

const SVG = "http://www.w3.org/2000/svg";

/** The element of an id that the page is known to have. */
export const at = (id) => document.getElementById(id);

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, run] of Object.entries(value)) element.addEventListener(event, run);
    else if (name === "vars") for (const [key, each] of Object.entries(value)) element.style.setProperty(key, each);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** An HTML element; strings among the children become text. */
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);

/** An SVG element. */
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/** Sets the text where it differs; true if it did. */
export function write(element, text) {
  const wanted = String(text);
  if (element.textContent === wanted) return false;
  element.textContent = wanted;
  return true;
}

/** Sets an attribute where it differs. */
export function mark(element, name, value) {
  if (value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Sets the class where it differs. */
export function dress(element, name) {
  if (element.getAttribute("class") !== name) element.setAttribute("class", name);
}

/**
 * Makes a parent's children follow a list: rows keep their element by key, so that focus, scroll
 * and open details survive. `make(item)` gives `{element, update(item)}`; the first update is done
 * here.
 */
export function follow(parent, items, key, make) {
  const rows = lists.get(parent) ?? new Map();
  lists.set(parent, rows);
  const seen = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const id = key(item);
    if (seen.has(id)) continue;
    seen.add(id);
    let row = rows.get(id);
    if (!row) rows.set(id, (row = make(item)));
    if (row.element === place) place = place.nextElementSibling;
    else parent.insertBefore(row.element, place);
    row.update?.(item);
    while (row.after?.parentNode === parent && row.after === place) place = place.nextElementSibling;
    if (row.after && row.after.previousElementSibling !== row.element) row.element.after(row.after);
  }
  for (const [id, row] of rows) {
    if (seen.has(id)) continue;
    row.element.remove();
    row.after?.remove();
    rows.delete(id);
  }
}

/** Takes all rows away, so that the next list makes new ones. */
export function clear(parent) {
  lists.delete(parent);
  parent.replaceChildren();
}

/** A line that stands in a list or table while there is nothing else. */
export function nothing(parent, text, columns) {
  lists.delete(parent);
  const line = columns ? h("tr", null, h("td", { class: "empty", colspan: columns }, text)) : h(parent.tagName === "UL" ? "li" : "p", { class: "empty" }, text);
  parent.replaceChildren(line);
}

/** Forgets the line of `nothing` before rows come. */
export function something(parent) {
  if (!parent.querySelector(":scope > .empty, :scope > tr > .empty")) return;
  clear(parent);
}

/** A pair of a description list whose value can be written. */
export function figure(list, name, props) {
  const value = h("dd", null, "–");
  list.append(h("div", props, h("dt", null, name), value));
  return (text, tone = "") => {
    write(value, text);
    dress(value, tone);
  };
}

/** A bar from 0 to 1, told to screen readers by its label. */
export function bar(label) {
  const element = h("span", { class: "bar", role: "meter", "aria-label": label, "aria-valuemin": "0" }, h("i"));
  return {
    element,
    show(value, max, tone = "", text = undefined) {
      const share = max > 0 ? Math.min(Math.max(value / max, 0), 1) : 0;
      element.style.setProperty("--share", share.toFixed(4));
      dress(element, `bar ${tone}`);
      mark(element, "aria-valuemax", max);
      mark(element, "aria-valuenow", Math.min(Math.max(value, 0), max));
      mark(element, "aria-valuetext", text);
    },
  };
}

/** A line with a soft area down to zero, decoration beside figures in words. */
export function spark(values, width = 72, height = 28) {
  if (values.length < 2) return s("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  // Down to zero where that leaves room to see it move, else over its own range.
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const near = most - least > Math.max(Math.abs(least), Math.abs(most)) * 0.25;
  const low = near ? Math.min(0, least) : least;
  const high = near ? Math.max(0, most) : most;
  const span = high - low || 1;
  const x = (index) => (index / (values.length - 1)) * width;
  const y = (value) => 1.5 + (1 - (value - low) / span) * (height - 3);
  const line = values.map((value, index) => `${index ? "L" : "M"}${x(index).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const base = (near ? y(0) : values.at(-1) < 0 ? 0 : height).toFixed(1);
  return s("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true", class: values.at(-1) < 0 ? "negative" : "" },
    s("path", { class: "area", d: `${line}L${width} ${base}L0 ${base}Z` }),
    near ? s("path", { class: "zero", d: `M0 ${base}H${width}` }) : "",
    s("path", { class: "line", d: line }));
}
