// The microphone: from the moment it listens until it is stopped, as a 16 kHz mono WAV.

const RATE = 16_000;

/** One recording. */
export class Recording {
  #blocks = [];
  #context;
  #stream;

  /** Asks for the microphone and begins; throws an error with a sentence for the person. */
  static async begin() {
    if (!navigator.mediaDevices) {
      throw new Error("Le micro n’est permis que sur cet ordinateur (127.0.0.1) ou en https. Prenez une note toute prête.");
    }
    const recording = new Recording();
    try {
      recording.#stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      throw new Error("Pas de micro ici, ou pas la permission. Le trombone a des notes vocales toutes prêtes.");
    }
    recording.#context = new AudioContext();
    await recording.#context.audioWorklet.addModule("/worklet.js");
    const tap = new AudioWorkletNode(recording.#context, "tap");
    tap.port.onmessage = ({ data }) => recording.#blocks.push(data);
    recording.#context.createMediaStreamSource(recording.#stream).connect(tap);
    return recording;
  }

  /** How long it is so far. */
  get seconds() {
    const samples = this.#blocks.reduce((sum, block) => sum + block.length, 0);
    return samples / this.#context.sampleRate;
  }

  /** Ends it, and gives the microphone back. */
  async stop() {
    this.#stream.getTracks().forEach((track) => track.stop());
    await this.#context.close();
  }

  /** What was heard, as a WAV. */
  wav() {
    return wav(resampled(this.#blocks, this.#context.sampleRate));
  }
}

/** The samples at 16 kHz: each is the mean of those that fall into it, which also keeps high tones out. */
function resampled(blocks, rate) {
  const all = new Float32Array(blocks.reduce((sum, block) => sum + block.length, 0));
  blocks.reduce((at, block) => (all.set(block, at), at + block.length), 0);
  const step = rate / RATE;
  return Float32Array.from({ length: Math.floor(all.length / step) }, (_, at) => {
    const part = all.subarray(Math.floor(at * step), Math.max(Math.floor((at + 1) * step), Math.floor(at * step) + 1));
    return part.reduce((sum, sample) => sum + sample, 0) / part.length;
  });
}

/** A WAV file: 44 bytes of header, then 16-bit samples. */
function wav(samples) {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const word = (at, text) => [...text].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + samples.length * 2, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // the length of this part
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // one channel
  view.setUint32(24, RATE, true);
  view.setUint32(28, RATE * 2, true); // bytes a second
  view.setUint16(32, 2, true); // bytes a sample
  view.setUint16(34, 16, true); // bits a sample
  word(36, "data");
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((sample, index) => view.setInt16(44 + index * 2, Math.max(-1, Math.min(1, sample)) * 0x7fff, true));
  return new Blob([view], { type: "audio/wav" });
}
