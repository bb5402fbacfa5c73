// What the page says to the demo, and what it hears: `GET /events`, `POST /action`, `/voice`, `/photo`.

/** Sends a body; throws an error with a sentence for the person. */
async function post(path, type, body) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", headers: { "Content-Type": type }, body });
  } catch {
    throw new Error("La démo ne répond pas : rien n’est parti.");
  }
  if (answer.ok) return;
  const told = await answer.json().catch(() => ({}));
  throw new Error(told.error ?? `La démo a répondu ${answer.status}.`);
}

/** Does one thing, as `{ who: 7, say: "…" }`. */
export const act = (what) => post("/action", "application/json", JSON.stringify(what));

/** Sends a recorded note, a WAV. */
export const voice = (who, seconds, wav) => post(`/voice?who=${who}&seconds=${seconds}`, "audio/wav", wav);

/** Sends a photo that the person chose. */
export const photo = (who, file) => post(`/photo?who=${who}`, file.type, file);

/** Whole numbers that JavaScript cannot hold stay as they were written. */
const exact = (_key, value, context) =>
  Number.isInteger(value) && !Number.isSafeInteger(value) && JSON.rawJSON ? JSON.rawJSON(context.source) : value;

/** How long to wait before the stream is asked for again, in milliseconds. */
const AGAIN = 2000;

/**
 * Calls `show` with each view, and `connected` with whether the stream stands. The browser repairs a stream that breaks;
 * where it gave up (the answer was an error) a new one is opened.
 */
export function listen(show, connected) {
  const stream = new EventSource("/events");
  stream.addEventListener("message", (event) => {
    connected(true);
    show(JSON.parse(event.data, exact));
  });
  stream.addEventListener("error", () => {
    connected(false);
    if (stream.readyState !== EventSource.CLOSED) return;
    setTimeout(() => listen(show, connected), AGAIN);
  });
}
