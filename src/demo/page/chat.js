// One person's chat: messages and edits in place, keyboards, toasts.

import { by, day, glow, h, hour, icon, length, svg, write } from "./dom.js";
import { formatted, link } from "./text.js";

/** A button stops waiting for the bot's answer after this, in milliseconds, as Telegram's do. */
const PATIENCE = 15_000;

/** The chat of one person. `deeds` is what a person can do in it: `say`, `tap`, `reply`. */
export class Chat {
  #deeds;
  #turns = new Map(); // what is shown of each message: { element, told }
  #toast = null; // number of the newest toast that was seen
  #is_at_end = true;
  #empty; // what is shown before the first message
  #idea; // what is proposed until the person has said something

  constructor(person, deeds) {
    this.#deeds = deeds;
    this.log = h("div", { class: "log", role: "log", tabindex: 0, "aria-label": `Messages de ${person.name}` });
    const { about, first } = FIRST[person.role] ?? FIRST.volunteer;
    const chips = (words) => h("button", { type: "button", class: "first", onclick: () => this.#deeds.say(words) }, words);
    this.#empty = h("div", { class: "welcome" },
      h("span", { class: "avatar bot large", "aria-hidden": "true" }, icon("box")),
      h("p", {}, about),
      h("button", { type: "button", class: "first", onclick: () => this.#deeds.say("/start") }, "Démarrer"));
    this.#idea = h("div", { class: "idea" }, first.length > 0 && h("p", {}, "Par exemple :"), first.map(chips));
    this.log.append(this.#empty, this.#idea);
    // Who reads the newest message goes on doing so when the chat gets smaller or a picture has come.
    this.log.addEventListener("scroll", () => (this.#is_at_end = this.#left() < 60));
    new ResizeObserver(() => this.#is_at_end && this.toEnd()).observe(this.log);
  }

  /** Shows what has changed; returns whether the bot said or edited something. */
  update(person) {
    const is_first = this.#toast === null;
    const gone = new Set(this.#turns.keys());
    let is_new = false;
    let is_mine = false;
    person.messages.forEach((message, position) => {
      gone.delete(message.id);
      const told = JSON.stringify(message);
      if (this.#turns.get(message.id)?.told === told) return;
      this.#show(message, told, person.messages, position, is_first);
      if (message.mine) is_mine = true;
      else is_new = true;
    });
    for (const id of gone) {
      this.#turns.get(id).element.remove();
      this.#turns.delete(id);
    }
    this.#empty.hidden = person.messages.length > 0;
    this.#idea.hidden = this.#empty.hidden === false || person.messages.some(({ mine, text }) => mine && text !== "/start");
    if (person.messages.length > 0) this.#days(person.messages);
    if (is_first || is_mine || (is_new && this.#is_at_end)) this.toEnd();
    return is_new && !is_first;
  }

  /** Writes the day above the first message of each. */
  #days(messages) {
    let before = "";
    for (const { id, at } of messages) {
      const { element } = this.#turns.get(id);
      const now = day(at);
      const above = element.previousElementSibling;
      const is_there = above?.className === "day";
      if (now !== before && !is_there) element.before(h("p", { class: "day" }, now));
      else if (now !== before) write(above, now);
      else if (is_there) above.remove();
      before = now;
    }
  }

  /** The toasts that came since the last call; whatever came before the first one is old. */
  newToasts(person) {
    const newest = person.toasts.at(-1)?.number ?? 0;
    const seen = this.#toast ?? newest;
    this.#toast = Math.max(seen, newest);
    const fresh = person.toasts.filter((toast) => toast.number > seen);
    if (fresh.length > 0) this.log.querySelectorAll(".key.waits").forEach((key) => key.classList.remove("waits"));
    return fresh.filter((toast) => toast.text !== "");
  }

  #left() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight;
  }

  /** Scrolls to the newest message. */
  toEnd() {
    this.#is_at_end = true;
    this.log.scrollTop = this.log.scrollHeight;
  }

  #show(message, told, messages, position, is_first) {
    const before = this.#turns.get(message.id)?.element;
    const element = this.#turn(message, messages);
    this.#turns.set(message.id, { element, told });
    if (before) {
      const focused = [...before.querySelectorAll("button")].indexOf(document.activeElement);
      before.replaceWith(element);
      // Who works by keyboard stays where they were: on the button in the same place, or on the message.
      if (focused >= 0) (element.querySelectorAll("button")[focused] ?? this.log).focus({ preventScroll: true });
    } else {
      const next = messages.slice(position + 1).map(({ id }) => this.#turns.get(id)?.element).find(Boolean);
      this.log.insertBefore(element, next ?? this.#idea);
      if (!is_first) element.classList.add("arrives");
    }
    if (before && !is_first) glow(element.querySelector(".bubble"));
  }

  #turn(message, messages) {
    const keyboard = message.buttons.length > 0 && this.#keyboard(message);
    return h(
      "article",
      {
        class: message.mine ? "turn mine" : "turn",
        "data-message": message.id,
        "aria-label": `${message.mine ? "Vous" : "Le bot"}, ${hour(message.at)}`,
      },
      h("div", { class: keyboard ? "bubble with-keys" : "bubble" },
        this.#quote(message, messages),
        message.photo && h("img", { src: `/file/${encodeURIComponent(message.photo.file)}`, alt: "Photo envoyée", onload: () => this.#is_at_end && this.toEnd() }),
        message.voice && recording(message.voice),
        message.text && h("div", { class: "text" }, formatted(message.text, message.entities ?? [], this.#deeds.say)),
        h("span", { class: "meta" }, message.edited && "modifié ", h("time", {}, hour(message.at))),
        !message.mine && h("button", { type: "button", class: "reply", "aria-label": "Répondre à ce message", onclick: () => this.#deeds.reply(message) }, icon("reply"))),
      keyboard,
    );
  }

  #quote(message, messages) {
    if (message.reply_to == null) return null;
    const first = messages.find(({ id }) => id === message.reply_to);
    return h("p", { class: "quote" }, first ? gist(first) : "Message supprimé");
  }

  #keyboard(message) {
    const key = (button) => button.url
      ? h("span", { class: "key" }, link(button.url, [button.text]))
      : h("button", { class: "key", type: "button", onclick: (event) => this.#tap(event.currentTarget, message, button) }, button.text);
    return h("div", { class: "keys", role: "group", "aria-label": "Choix" },
      message.buttons.map((row) => h("div", { class: "row" }, row.map(key))));
  }

  #tap(key, message, button) {
    key.classList.add("waits");
    setTimeout(() => key.classList.remove("waits"), PATIENCE);
    this.#deeds.tap({ message: message.id, data: button.data });
  }
}

/** What each of the three is told and proposed at first. */
const FIRST = {
  volunteer: { about: "Dites ce que vous déposez, comme à une collègue.", first: ["deux bouilloires, trois kilos et un fauteuil, 12 kg"] },
  newcomer: { about: "Noor arrive dans l’équipe : le bot ne la connaît pas encore.", first: [] },
  admin: { about: "Odile tient la ressourcerie : les demandes d’accès arrivent ici.", first: [] },
};

/** A message in a few words, for a quote. */
export function gist(message) {
  if (message.text) return message.text.length > 90 ? `${message.text.slice(0, 90)}…` : message.text;
  return message.voice ? "🎤 Note vocale" : "📷 Photo";
}

/** A voice note: a button, a picture of the sound (drawn from its name, not from the sound), the length. */
function recording({ file, seconds }) {
  const sound = new Audio();
  sound.preload = "none";
  const button = h("button", { type: "button", class: "round go play", "aria-label": "Écouter la note vocale" }, icon("play"));
  const drawing = button.querySelector("use");
  const shown = () => {
    drawing.setAttribute("href", sound.paused ? "#i-play" : "#i-pause");
    button.setAttribute("aria-label", sound.paused ? "Écouter la note vocale" : "Arrêter");
  };
  for (const event of ["play", "pause", "ended"]) sound.addEventListener(event, shown);
  button.addEventListener("click", () => {
    if (!sound.src) sound.src = `/file/${encodeURIComponent(file)}`;
    if (sound.paused) sound.play().catch(shown);
    else sound.pause();
  });
  const bars = Array.from({ length: 28 }, (_, at) => {
    const height = 4 + ((file.charCodeAt(at % file.length) * (at + 7) * 31) % 16);
    return svg("rect", { x: at * 5, y: 12 - height / 2, width: 3, height, rx: 1.5 });
  });
  return h("div", { class: "voice" }, button, svg("svg", { class: "wave", viewBox: "0 0 140 24", "aria-hidden": "true" }, bars), h("span", {}, length(seconds)));
}

let toast_ends = 0;

/** Takes the toast away. */
export function hideToast() {
  by("toast").classList.remove("shown");
  write(by("toast"), "");
}

/** Shows a toast for a while; one that is an alert waits for the person. */
export function showToast({ text, alert }) {
  if (alert) {
    write(by("alert-text"), text);
    if (!by("alert").open) by("alert").showModal();
    return;
  }
  const toast = by("toast");
  write(toast, text);
  toast.classList.add("shown");
  clearTimeout(toast_ends);
  toast_ends = setTimeout(hideToast, 6000);
}
