// The page: one snapshot of everything comes whenever something has changed (server.js), and each part shows its share.
//
//   chat.js      a person's chat             composer.js  what they write     recorder.js, worklet.js  the microphone
//   text.js      texts with entities         inspector.js  the right side      diagram.js  the states
//   dom.js       building elements           theme.js     light and dark

import { Chat, hideToast, showToast } from "./chat.js";
import { reply, say, tap, writer } from "./composer.js";
import { by, h, hour, write } from "./dom.js";
import { showExpiry, showInspector } from "./inspector.js";
import { listen } from "./server.js";

const ROLES = { volunteer: "bénévole", newcomer: "nouvelle", admin: "responsable" };

const chats = new Map(); // by person: { chat, tab }
let view = null;
let holder = null; // id of who holds the phone
let ahead = 0; // how far the demo's clock is before the machine's, in milliseconds

function show(now) {
  view = now;
  ahead = view.clock - Date.now();
  for (const person of view.people) showPerson(person);
  if (holder === null) hold(view.people[0].id);
  else showHolder();
}

function showPerson(person) {
  if (!chats.has(person.id)) arrive(person);
  const { chat, tab } = chats.get(person.id);
  const is_new = chat.update(person);
  const toasts = chat.newToasts(person);
  if (person.id === holder) toasts.forEach(showToast);
  else if (is_new) tab.classList.add("unread");
  write(tab.querySelector(".unread-words"), tab.classList.contains("unread") ? ", du nouveau" : "");
  write(tab.querySelector("small"), ROLES[person.role] ?? person.role);
}

function arrive(person) {
  const chat = new Chat(person, { say, tap, reply });
  const tab = h("button", {
    type: "button", role: "tab", id: `tab-${person.id}`, "aria-controls": "chat", "aria-selected": "false", tabindex: -1,
    onclick: () => hold(person.id),
  },
    h("span", { class: `avatar tone-${chats.size % 3}`, "aria-hidden": "true" }, person.name[0]),
    h("span", { class: "who" }, person.name, h("small", {}), h("span", { class: "sr unread-words" })));
  chats.set(person.id, { chat, tab });
  by("people").append(tab);
}

/** Another person takes the phone. */
function hold(id) {
  holder = id;
  for (const [other, { tab }] of chats) {
    tab.setAttribute("aria-selected", String(other === id));
    tab.tabIndex = other === id ? 0 : -1;
  }
  const { chat, tab } = chats.get(id);
  tab.classList.remove("unread");
  write(tab.querySelector(".unread-words"), "");
  by("chat").setAttribute("aria-labelledby", tab.id);
  by("logs").replaceChildren(chat.log);
  hideToast();
  showHolder();
  chat.toEnd();
}

function showHolder() {
  const person = view.people.find(({ id }) => id === holder);
  writer(person);
  write(by("presence"), person.typing ? "écrit…" : view.bot.running ? "bot" : "bot (hors ligne)");
  by("presence").classList.toggle("typing", person.typing);
  by("unheard").hidden = view.bot.transcriber;
  showInspector(view, person);
  tick();
}

function tick() {
  const clock = Date.now() + ahead;
  write(by("clock"), hour(clock));
  showExpiry(clock);
}

by("people").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const ids = [...chats.keys()];
  hold(ids[(ids.indexOf(holder) + step + ids.length) % ids.length]);
  chats.get(holder).tab.focus();
});

for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => {
    document.body.dataset.view = button.dataset.show;
    for (const other of document.querySelectorAll("[data-show]")) other.setAttribute("aria-pressed", String(other === button));
    if (holder !== null) chats.get(holder).chat.toEnd();
  });
}

setInterval(() => view && tick(), 1000);
listen(show, (stands) => {
  by("broken").hidden = stands;
});
