// The inspector: session, commits, ledger, metrics, and the controls that break things.

import { attempt } from "./composer.js";
import { light } from "./diagram.js";
import { by, glow, h, hour, length, write } from "./dom.js";
import { act } from "./server.js";

const NUMBER = new Intl.NumberFormat("fr", { maximumFractionDigits: 3 });
const STATUS = {
  completed: "enregistré", cancelled: "abandonné", expired: "expiré", reversed: "annulé",
  classification_failed: "à revoir", pending_validation: "à valider",
};

/** What each part showed last: a part is built anew only where it differs. */
const shown = new Map();

function changed(part, value) {
  const told = JSON.stringify(value ?? null);
  const is_first = !shown.has(part);
  if (shown.get(part) === told) return null;
  shown.set(part, told);
  return { is_first };
}

/** Shows the view from the side of one person. */
export function showInspector(view, person) {
  session(view, person);
  commits(view);
  ledger(view);
  metrics(view.metrics);
  trouble(view);
}

// ---- the session

function session(view, person) {
  const { session } = person;
  const last = view.commits.filter(({ who, from, to }) => who === person.id && from !== to).at(-1);
  write(by("whose"), person.name);
  light(session?.state ?? "Idle", last);
  write(by("state"), session?.state ?? "Idle");
  const is_same = changed("person", person.id) === null;
  if (changed("version", session?.version)) {
    write(by("version"), session ? String(session.version) : "–");
    if (is_same) glow(by("version"));
  }
  if (changed("effects", session?.effects)) {
    const effects = session?.effects ?? [];
    by("effects").replaceChildren(...(effects.length > 0 ? effects.map(effect) : [h("li", { class: "none" }, "aucun")]));
  }
  write(by("store"), view.store.primary === "redis" ? "Redis" : "SQLite");
  expires_at = session?.expires_at ?? null;
  if (changed("document", session?.document)) showDocument(session?.document ?? null, is_same);
}

function effect({ effect, lane, attempts, leased }) {
  const tries = attempts > 0 ? `, essai ${attempts + 1}` : "";
  return h("li", { class: leased ? "chip leased" : "chip" }, effect, h("small", {}, ` ${lane}${tries}${leased ? ", en cours" : ""}`));
}

let expires_at = null;

/** Shows how long the session has left; called each second. */
export function showExpiry(clock) {
  const left = expires_at === null ? null : Math.max(0, Math.round((expires_at - clock) / 1000));
  write(by("expiry"), left === null ? "–" : left === 0 ? "maintenant" : `dans ${length(left)}`);
}

let lines_before = new Set();

function showDocument(document, is_same) {
  const text = document === null ? "" : JSON.stringify(document, null, 2);
  write(by("size"), document === null ? "" : `${NUMBER.format(new Blob([JSON.stringify(document)]).size)} octets`);
  const lines = text.split("\n");
  by("document").replaceChildren(...lines.map((line) => {
    const [, indent, key, value] = /^(\s*)("[^"]*": )?(.*)$/.exec(line);
    const is_new = is_same && !lines_before.has(line.replace(/,$/, ""));
    return h("span", { class: is_new ? "line glow" : "line" }, indent, key && h("span", { class: "name" }, key), value, "\n");
  }));
  lines_before = new Set(lines.map((line) => line.replace(/,$/, "")));
}

// ---- commits

let newest_commit = 0;

function commits({ commits, people }) {
  const change = changed("commits", commits);
  if (!change) return;
  const name = new Map(people.map(({ id, name }) => [id, name]));
  by("commits").replaceChildren(...commits.toReversed().map((commit) => {
    const is_new = !change.is_first && commit.number > newest_commit;
    const step = commit.from === commit.to ? commit.to : `${commit.from} → ${commit.to}`;
    return h("li", { class: is_new ? "glow" : "" },
      h("p", { class: "step" }, h("b", {}, step), h("span", { class: "label" }, ` v${commit.version}`)),
      h("p", { class: "hint" }, `${name.get(commit.who) ?? commit.who} · ${hour(commit.at)} · ${cause(commit.cause)}`),
      commit.effects.length > 0 && h("p", { class: "chips" }, commit.effects.map((effect) => h("span", { class: "chip" }, effect))));
  }));
  newest_commit = commits.at(-1)?.number ?? newest_commit;
}

/** Why a commit was made, in the page's language. */
function cause(name) {
  const known = { message: "un message", tap: "un bouton", deadline: "l’heure" };
  return known[name] ?? name.replace(/^outcome of /, "résultat de ");
}

// ---- the ledger

function ledger({ ledger, people }) {
  const before = shown.get("ledger");
  const change = changed("ledger", ledger);
  if (!change) return;
  const rows_before = new Set(JSON.parse(before ?? "[]").map((row) => JSON.stringify(row)));
  const name = new Map(people.map(({ id, name }) => [id, name]));
  by("ledger-empty").hidden = ledger.length > 0;
  by("ledger").replaceChildren(...ledger.map((row) => {
    const is_new = !change.is_first && !rows_before.has(JSON.stringify(row));
    const weights = row.lines.map((line) => line.weight_kg).filter((weight) => weight != null);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return h("tr", { class: is_new ? "glow" : "" },
      h("td", {}, row.number == null ? "–" : String(row.number)),
      h("td", {}, name.get(row.who) ?? String(row.who), h("span", { class: `status ${row.status}` }, STATUS[row.status] ?? row.status)),
      h("td", {}, row.lines.map((line) => h("p", {},
        line.quantity > 1 ? `${line.object} ×${line.quantity}` : line.object,
        h("small", {}, [line.category, line.destination].filter(Boolean).join(" · "))))),
      h("td", { class: "number" }, weights.length > 0 ? NUMBER.format(total) : "–"));
  }));
}

// ---- metrics

function metrics(metrics) {
  const before = new Map(JSON.parse(shown.get("metrics") ?? "[]").map(({ name, value }) => [name, value]));
  if (!changed("metrics", metrics)) return;
  by("metrics").replaceChildren(...metrics.map(({ name, value, help }) =>
    h("div", { class: before.has(name) && before.get(name) !== value ? "glow" : "" },
      h("dt", {}, h("code", {}, name), h("small", { lang: "en" }, help)),
      h("dd", {}, NUMBER.format(value)))));
}

// ---- trouble

const READY = { ok: "Tout va bien", degraded: "Il se débrouille sans Redis", away: "Il ne peut rien écrire" };

function trouble({ store, bot, controls, pending_updates }) {
  const waiting = pending_updates > 0 ? ` ${plural(pending_updates, "message attend", "messages attendent")} chez Telegram.` : "";
  const told = bot.running
    ? `${READY[store.ready] ?? store.ready}, démarré ${plural(bot.starts, "fois", "fois")}.${waiting}`
    : `Le bot est mort. Écrivez quand même : rien ne se perd.${waiting}`;
  write(by("health"), told);
  by("health").className = bot.running && store.ready === "ok" ? "hint health ok" : "hint health ill";
  lever(by("bot"), controls.bot, "Tuer le bot", "Relancer le bot");
  by("redis").hidden = controls.redis == null;
  lever(by("redis"), controls.redis, "Arrêter Redis", "Relancer Redis");
  for (const name of ["slow", "refuse", "drop"]) by(name).setAttribute("aria-checked", String(controls[name]));
}

const plural = (count, one, many) => `${count} ${count > 1 ? many : one}`;

function lever(button, is_on, stop, start) {
  write(button, is_on ? stop : start);
  button.classList.toggle("danger", Boolean(is_on));
  button.dataset.on = String(is_on);
}

for (const name of ["bot", "redis"]) {
  by(name).addEventListener("click", () => attempt(() => act({ control: name, on: by(name).dataset.on !== "true" })));
}
for (const name of ["slow", "refuse", "drop"]) {
  by(name).addEventListener("click", () => attempt(() => act({ control: name, on: by(name).getAttribute("aria-checked") !== "true" })));
}
by("pass").addEventListener("click", () => attempt(() => act({ pass: Number(by("pass").dataset.pass) })));
