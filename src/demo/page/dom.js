// The few lines that every other module builds elements with. Text enters the page by textContent only.

const SVG = "http://www.w3.org/2000/svg";

/** The element with this id; all of them are in index.html. */
export const by = (id) => document.getElementById(id);

/**
 * Makes an element: `h("button", { class: "key", type: "button", onclick: tap }, "Valider")`.
 * A property that is a function listens, `true` and `false` set or leave out the attribute, the rest are attributes.
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** One of the drawings at the top of index.html. */
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

/** Writes a text where it differs, so that screen readers and selections are left alone. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Lets an element glow for a moment: something in it has changed. */
export function glow(element) {
  element.classList.remove("glow");
  void element.offsetWidth; // lets the animation begin anew
  element.classList.add("glow");
}

const HOUR = new Intl.DateTimeFormat("fr", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("fr", { weekday: "long", day: "numeric", month: "long" });

/** Milliseconds as «14:05». */
export const hour = (at) => HOUR.format(at);

/** Milliseconds as «samedi 21 novembre». */
export const day = (at) => DAY.format(at);

/** Seconds as «0:04». */
export const length = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
