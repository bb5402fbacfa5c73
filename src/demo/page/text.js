// A message's text and its entities (offsets count UTF-16 units, as JavaScript's strings do) as elements.

import { h } from "./dom.js";

const TAGS = {
  bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "pre",
  blockquote: "blockquote", expandable_blockquote: "blockquote",
};
const COMMAND = /(^|[\s(])(\/[a-z_]{2,32})(?![\w/])/g;

/** The elements of a text; `say` is called with a command that is pressed. */
export function formatted(text, entities, say) {
  const outer = entities
    .filter(({ offset, length }) => offset >= 0 && length > 0 && offset + length <= text.length)
    .sort((a, b) => a.offset - b.offset || b.length - a.length);
  return within(text, 0, text.length, outer, say);
}

/** The elements of one part of the text, given the entities that lie in it, outer ones first. */
function within(text, from, to, entities, say) {
  const parts = [];
  let at = from;
  while (entities.length > 0) {
    const [entity, ...rest] = entities;
    const end = entity.offset + entity.length;
    if (entity.offset > at) parts.push(...commands(text.slice(at, entity.offset), say));
    const inner = rest.filter((other) => other.offset + other.length <= end);
    parts.push(wrapped(entity, text, within(text, entity.offset, end, inner, say), say));
    at = end;
    entities = rest.filter((other) => other.offset >= end);
  }
  if (to > at) parts.push(...commands(text.slice(at, to), say));
  return parts;
}

function wrapped(entity, text, children, say) {
  const url = entity.type === "text_link" ? entity.url : text.slice(entity.offset, entity.offset + entity.length);
  switch (entity.type) {
    case "text_link":
    case "url":
      return link(url, children);
    case "bot_command":
      return command(url, say);
    case "spoiler":
      return h("span", { class: "spoiler", tabindex: 0 }, children);
    default:
      return h(TAGS[entity.type] ?? "span", {}, children);
  }
}

/** A link that opens elsewhere; anything but the web's own schemes stays text. */
export function link(url, children) {
  const is_web = /^https?:\/\//i.test(url);
  return is_web ? h("a", { href: url, target: "_blank", rel: "noreferrer" }, children) : h("span", {}, children);
}

/** Telegram makes commands in a text pressable without being told. */
function commands(text, say) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(COMMAND)) {
    const start = found.index + found[1].length;
    parts.push(text.slice(at, start), command(found[2], say));
    at = start + found[2].length;
  }
  parts.push(text.slice(at));
  return parts.filter((part) => part !== "");
}

function command(words, say) {
  return h("button", { type: "button", class: "command", onclick: () => say(words) }, words);
}
