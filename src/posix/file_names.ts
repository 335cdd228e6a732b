// File names as strings. The kernel's names are bytes and need not be UTF-8: bytes that are not UTF-8 become lone surrogates
// (surrogateescape, PEP 383), so that every name has one string, which is converted back to the same bytes.

const ESCAPE = 0xdc00;
const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** The string for a name's bytes. Bytes that aren't UTF-8 become U+DC80 to U+DCFF, which no valid name contains. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return STRICT.decode(bytes);
  } catch {
    return decodeLoosely(bytes);
  }
}

function decodeLoosely(bytes: Uint8Array): string {
  let name = "";
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes[at]!);
    const piece = bytes.subarray(at, at + length);
    const character = piece.length === length ? tryDecode(piece) : undefined;
    name += character ?? String.fromCharCode(ESCAPE + bytes[at]!);
    at += character === undefined ? 1 : length;
  }
  return name;
}

function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

function tryDecode(bytes: Uint8Array): string | undefined {
  try {
    return STRICT.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The bytes of a name that {@linkcode decodeName} has decoded. */
export function encodeName(name: string): Uint8Array<ArrayBuffer> {
  if (name.isWellFormed()) return ENCODER.encode(name);
  const parts: number[] = [];
  for (const character of name) {
    const code = character.charCodeAt(0);
    if (character.length === 1 && code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) parts.push(code - ESCAPE);
    else parts.push(...ENCODER.encode(character));
  }
  return Uint8Array.from(parts);
}

/** Whether a name can be shown and typed. Only such names are found by the file functions of Deno (tried with 2.6.8). */
export function isUtf8Name(name: string): boolean {
  return name.isWellFormed();
}

/** `directory/name`; the directory `""` is the root of a tree. */
export function joinName(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

/** Names in the form in which programs read lists of files: each ends with a NUL. */
export function encodeNameList(names: readonly string[]): Uint8Array<ArrayBuffer> {
  const text = names.map((name) => `${name}\0`).join("");
  if (text.isWellFormed()) return ENCODER.encode(text);
  const parts = names.map((name) => encodeName(`${name}\0`));
  const list = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    list.set(part, at);
    at += part.length;
  }
  return list;
}

/** Parent and last component of a path relative to a root; the root is the empty string. */
export function splitLast(path: string): [parent: string, name: string] {
  const cut = path.lastIndexOf("/");
  return cut === -1 ? ["", path] : [path.slice(0, cut), path.slice(cut + 1)];
}

/** Parent and last component of an absolute path without a slash at its end. */
export function splitAbsolute(path: string): [parent: string, name: string] {
  const cut = path.lastIndexOf("/");
  return [path.slice(0, cut) || "/", path.slice(cut + 1)];
}

/** A name for a system call: its bytes and a NUL. */
export function cString(name: string): Uint8Array<ArrayBuffer> {
  return encodeName(`${name}\0`);
}

/** The name `""` for calls with AT_EMPTY_PATH. */
export const EMPTY_NAME: Uint8Array<ArrayBuffer> = new Uint8Array(1);
