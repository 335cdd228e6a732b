// Names in texts of references, in the forms that tools write.
import { deepEqual } from "node:assert/strict";
import { decodeName } from "../../src/posix/file_names.ts";
import { NameFinder } from "../../src/transfer/names_in_text.ts";

const ENCODER = new TextEncoder();

Deno.test("a name is found as it is, after a colon, and as a digest in base64", () => {
  const finder = new NameFinder(["sha256-0123456789", "sha256-0123456780", "tok", "0123456789abcdef", "größe-ä", "aa"]);
  const found = (text: string) => [...finder.namesIn(ENCODER.encode(text))].toSorted();
  deepEqual(found('{"digest":"sha256:0123456789"}'), ["sha256-0123456789"]);
  deepEqual(found("tok\n0123456789abcdef\n"), ["0123456789abcdef", "tok"]);
  deepEqual(found("größe-ä"), ["größe-ä"]);
  deepEqual(found(""), []);
  const digest = new Uint8Array(64).fill(0xaa);
  deepEqual(found(`"integrity":"sha512-${digest.toBase64()}"`), ["aa"]);
  deepEqual(found("sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAA is no digest"), []);
});

Deno.test("a name that is not UTF-8 is found between bytes that are no text", () => {
  const name = Uint8Array.of(0x61, 0xff, 0x80, 0x9f, 0x81, 0x62, 0x63, 0x64, 0x65);
  const other = Uint8Array.of(0x61, 0xff, 0x80, 0x9e, 0x81, 0x62, 0x63, 0x64, 0x65);
  const finder = new NameFinder([decodeName(name), decodeName(other)]);
  deepEqual([...finder.namesIn(Uint8Array.of(0xe2, 0x00, ...name, 0xb5))], [decodeName(name)]);
});
