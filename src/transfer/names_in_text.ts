// Which names occur in the text of a file that refers to others. Tools write names in more than one form:
//
//   as they are       the id of an archive (uv), a revision (Hugging Face)
//   `sha256:HEX`      for a file `sha256-HEX` (Ollama)
//   `sha512-BASE64`   for a file whose name is the end of the same digest in hexadecimal digits (npm: cacache, content/path.js)
//
// Pure.

/** Names are found by their last characters, because many begin in the same way. */
const KEY_LENGTH = 8;

/** A digest as subresource integrity writes it. */
const INTEGRITY = /\bsha(?:1|256|384|512)-([A-Za-z0-9+/]{27,86}={0,2})/g;

/** Finds any of many names in texts. */
export class NameFinder {
  readonly #byEnd = new Map<string, { readonly name: string; readonly form: string }[]>();
  readonly #short: { readonly name: string; readonly form: string }[] = [];

  constructor(names: Iterable<string>) {
    for (const name of names) {
      const form = oneForm(name);
      const key = form.slice(-KEY_LENGTH);
      const list = key.length < KEY_LENGTH ? this.#short : this.#byEnd.get(key) ?? [];
      list.push({ name, form });
      if (list !== this.#short) this.#byEnd.set(key, list);
    }
  }

  /** Those of the names that occur in a text, also as a part of a longer name. */
  namesIn(text: string): Set<string> {
    const digests = [...text.matchAll(INTEGRITY)].map(([, digest]) => hexOf(digest!));
    const all = [oneForm(text), ...digests].join("\n");
    const found = new Set(this.#short.filter(({ form }) => all.includes(form)).map(({ name }) => name));
    for (let end = KEY_LENGTH; end <= all.length; end++) {
      for (const { name, form } of this.#byEnd.get(all.slice(end - KEY_LENGTH, end)) ?? []) {
        if (all.startsWith(form, end - form.length)) found.add(name);
      }
    }
    return found;
  }
}

function oneForm(text: string): string {
  return text.replaceAll(":", "-");
}

function hexOf(base64: string): string {
  try {
    return Uint8Array.fromBase64(base64).toHex();
  } catch {
    // The text only looks like a digest.
    return "";
  }
}
