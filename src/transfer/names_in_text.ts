// Which names occur in the text of a file that refers to others. Tools write names in more than one form:
//
//   as they are       the id of an archive (uv), a revision (Hugging Face)
//   `sha256:HEX`      for a file `sha256-HEX` (Ollama)
//   `sha512-BASE64`   for a file whose name is the end of the same digest in hexadecimal digits (npm: cacache, content/path.js)
//
// Texts may be binary, so they are compared byte by byte. Pure.
import { encodeName } from "../posix/file_names.ts";

/** Maps each byte to a character of its own. */
const BYTES = new TextDecoder("windows-1252");

/** Names are found by their last characters, because many begin in the same way. */
const KEY_LENGTH = 8;

/** Most places in a text end no name: a table of hashes of the last four characters tells that without a look into a map. */
const HASH_BITS = 20;

/** A digest as subresource integrity writes it. */
const INTEGRITY = /\bsha(?:1|256|384|512)-([A-Za-z0-9+/]{27,86}={0,2})/g;

/** Finds any of many names in texts. */
export class NameFinder {
  readonly #byEnd = new Map<string, { readonly name: string; readonly form: string }[]>();
  readonly #hashes = new Uint8Array(2 ** HASH_BITS);
  readonly #short: { readonly name: string; readonly form: string }[] = [];

  constructor(names: Iterable<string>) {
    for (const name of names) {
      const form = oneForm(encodeName(name));
      const key = form.slice(-KEY_LENGTH);
      const list = key.length < KEY_LENGTH ? this.#short : this.#byEnd.get(key) ?? [];
      list.push({ name, form });
      if (list === this.#short) continue;
      this.#byEnd.set(key, list);
      let last = 0;
      for (let index = KEY_LENGTH - 4; index < KEY_LENGTH; index++) last = following(last, key.charCodeAt(index));
      this.#hashes[hashOf(last)] = 1;
    }
  }

  /** Those of the names that occur in a text, also as a part of a longer name. */
  namesIn(content: Uint8Array): Set<string> {
    const text = oneForm(content);
    const all = [text, ...[...text.matchAll(INTEGRITY)].map(([, digest]) => hexOf(digest!))].join("\n");
    const found = new Set(this.#short.filter(({ form }) => all.includes(form)).map(({ name }) => name));
    let last = 0;
    for (let end = 1; end <= all.length; end++) {
      last = following(last, all.charCodeAt(end - 1));
      if (this.#hashes[hashOf(last)] === 0 || end < KEY_LENGTH) continue;
      for (const { name, form } of this.#byEnd.get(all.slice(end - KEY_LENGTH, end)) ?? []) {
        if (all.startsWith(form, end - form.length)) found.add(name);
      }
    }
    return found;
  }
}

/** Four characters as a number, from those before and the next one. */
function following(last: number, code: number): number {
  return (last << 8) ^ code;
}

function hashOf(last: number): number {
  return Math.imul(last, 0x9e3779b1) >>> (32 - HASH_BITS);
}

function oneForm(bytes: Uint8Array): string {
  return BYTES.decode(bytes).replaceAll(":", "-");
}

function hexOf(base64: string): string {
  try {
    return Uint8Array.fromBase64(base64).toHex();
  } catch {
    // The text only looks like a digest.
    return "";
  }
}
