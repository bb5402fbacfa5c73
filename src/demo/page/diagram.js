// The six states: the present one is lit, and the step that led there.

import { by, glow, write } from "./dom.js";

const diagram = by("diagram");
const nodes = new Map([...diagram.querySelectorAll("[data-state]")].map((node) => [node.dataset.state, node]));

/** What each state is for a person. */
const GLOSS = {
  Idle: "au repos",
  AwaitingDescription: "attend quelques mots",
  Understanding: "lit ou écoute",
  AwaitingValidation: "attend un ✓",
  Recording: "écrit au registre",
  Closed: "terminée",
};

/** Lights `state`, and the edge of `commit`, the newest of this person that led from one state to another. */
export function light(state, commit) {
  for (const [name, node] of nodes) {
    const is_new = name === state && !node.classList.contains("now");
    node.classList.toggle("now", name === state);
    if (is_new) glow(node.querySelector("rect"));
  }
  for (const edge of diagram.querySelectorAll("[data-from]")) {
    const is_taken = commit && edge.dataset.from === commit.from && edge.dataset.to === commit.to;
    edge.classList.toggle("taken", Boolean(is_taken));
    if (is_taken) edge.parentNode.append(edge); // above the others
  }
  write(by("diagram-title"), `Les six états d’une session ; maintenant : ${state}, ${GLOSS[state] ?? ""}`);
}
