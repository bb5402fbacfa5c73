// The line in which a person writes, with what opens above it: commands, ready-made notes and photos, the reply, the microphone.

import { gist, showToast } from "./chat.js";
import { by, h, icon, length, write } from "./dom.js";
import { Recording } from "./recorder.js";
import { act, photo, voice } from "./server.js";

const words = by("words");

/** Who writes, what the bot offers them, what they answer to, and what each left unsent. */
let person = null;
let reply_to = null;
const drafts = new Map();

/** Does it, and tells the person where it failed. */
export async function attempt(deed) {
  try {
    await deed();
    return true;
  } catch (error) {
    showToast({ text: error.message, alert: false });
    return false;
  }
}

/** Says something in the name of who holds the phone. */
export const say = (text) => attempt(() => act({ who: person.id, say: text }));

/** Presses a button of a message. */
export const tap = (button) => attempt(() => act({ who: person.id, tap: button }));

/** The next message answers this one. */
export function reply(message) {
  reply_to = message?.id ?? null;
  by("quote").hidden = reply_to === null;
  write(by("quoted"), message ? gist(message) : "");
  words.focus();
}

/** Another person takes the phone, or the same one has another menu now. */
export function writer(now) {
  const is_other = person?.id !== now.id;
  if (is_other) {
    if (person) drafts.set(person.id, words.value);
    words.value = drafts.get(now.id) ?? "";
    reply_to = null;
    by("quote").hidden = true;
    open(null);
  }
  person = now;
  if (is_other) typed();
}

// ---- what opens above the line: one at a time

const openers = { commands: by("menu"), shelf: by("attach") };

function open(name) {
  for (const [id, button] of Object.entries(openers)) {
    by(id).hidden = id !== name;
    button.setAttribute("aria-expanded", String(id === name));
  }
}

by("attach").addEventListener("click", () => open(by("shelf").hidden ? "shelf" : null));
by("menu").addEventListener("click", () => {
  if (!by("commands").hidden) return open(null);
  offer(person.commands);
  words.focus();
});
by("unquote").addEventListener("click", () => reply(null));
by("chat").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (openers.shelf.getAttribute("aria-expanded") === "true") openers.shelf.focus();
  open(null);
  if (reply_to !== null) reply(null);
});

// ---- commands: from the button, or completed while «/» is typed

let chosen = -1;

function offer(commands) {
  chosen = -1;
  words.removeAttribute("aria-activedescendant");
  by("commands").replaceChildren(...commands.map(({ command, description }, index) =>
    h("li", { role: "option", id: `command-${index}`, "aria-selected": "false", "data-command": command, onmousedown: (event) => event.preventDefault(), onclick: () => take(command) },
      h("b", {}, `/${command}`), h("span", {}, description))));
  open(commands.length > 0 ? "commands" : null);
}

function choose(step) {
  const options = [...by("commands").children];
  options[chosen]?.setAttribute("aria-selected", "false");
  chosen = (chosen + step + options.length) % options.length;
  options[chosen].setAttribute("aria-selected", "true");
  options[chosen].scrollIntoView({ block: "nearest" });
  words.setAttribute("aria-activedescendant", options[chosen].id);
}

function take(command) {
  words.value = "";
  typed();
  say(`/${command}`);
}

function typed() {
  const begun = /^\/([a-z_]*)$/.exec(words.value)?.[1];
  if (begun !== undefined) offer(person.commands.filter(({ command }) => command.startsWith(begun)));
  else if (!by("commands").hidden) open(null);
  const is_empty = words.value.trim() === "";
  by("send").hidden = is_empty;
  by("mic").hidden = !is_empty;
}

words.addEventListener("input", typed);
words.addEventListener("keydown", (event) => {
  const is_open = !by("commands").hidden;
  if (is_open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    choose(event.key === "ArrowDown" ? 1 : chosen < 0 ? 0 : -1);
  } else if (event.key === "Tab" && is_open && chosen >= 0) {
    event.preventDefault();
    words.value = `/${by("commands").children[chosen].dataset.command}`;
    typed();
  } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (is_open && chosen >= 0) take(by("commands").children[chosen].dataset.command);
    else by("composer").requestSubmit();
  }
});

by("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = words.value.trim();
  if (text === "") return;
  const what = reply_to === null ? { who: person.id, say: text } : { who: person.id, say: text, reply_to };
  words.value = "";
  typed();
  reply(null);
  const is_sent = await attempt(() => act(what));
  if (is_sent || words.value !== "") return;
  words.value = text; // nothing that was written is lost
  typed();
});

// ---- ready-made notes, and photos

function shelf(deed) {
  open(null);
  words.focus();
  attempt(deed);
}

async function shelve() {
  const samples = await (await fetch("/samples.json")).json();
  by("voices").replaceChildren(...samples.map(({ name, text }) =>
    h("li", {}, h("button", { type: "button", "data-sample": name, onclick: () => shelf(() => act({ who: person.id, sample: name })) }, icon("mic"), `« ${text} »`))));
}

for (const button of document.querySelectorAll("[data-photo]")) {
  button.addEventListener("click", () => shelf(() => act({ who: person.id, photo: button.dataset.photo })));
}
by("choose").addEventListener("click", () => by("file").click());
by("file").addEventListener("change", () => {
  const [file] = by("file").files;
  by("file").value = "";
  if (file) shelf(() => photo(person.id, file));
});

// ---- the microphone

let recording = null;
let ticking = 0;

by("mic").addEventListener("click", () => attempt(async () => {
  recording = await Recording.begin();
  ticking = setInterval(() => write(by("elapsed"), length(recording.seconds)), 200);
  swap(true);
  by("finish").focus();
}));

async function ended() {
  const done = recording;
  recording = null;
  clearInterval(ticking);
  await done.stop();
  swap(false);
  write(by("elapsed"), "0:00");
  words.focus();
  return done;
}

function swap(is_recording) {
  by("recording").hidden = !is_recording;
  by("composer").hidden = is_recording;
  open(null);
}

by("discard").addEventListener("click", ended);
by("finish").addEventListener("click", () => attempt(async () => {
  const who = person.id;
  const note = await ended();
  await voice(who, Math.max(1, Math.round(note.seconds)), note.wav());
}));

attempt(shelve);
