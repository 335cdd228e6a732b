// What can happen to a file that another program, a crash or an attacker has written, as values for property tests.
import fc from "./fast_check.ts";

/** Turns the text of a file into a damaged one. */
export type Damage = (text: string) => string | Uint8Array;

/** Text that is JSON, is not JSON, or is far too large. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.json(),
  fc.string({ maxLength: 300 }),
  fc.constantFrom(
    "",
    "null",
    "[]",
    "{}",
    "[null]",
    '["scratch","a",{}]',
    "\0".repeat(100),
    "[".repeat(20_000),
    "0".repeat(100_000),
  ),
);

/** Replaces a text, truncates it, appends to it, or changes a byte or a value. */
export const damage: fc.Arbitrary<Damage> = fc.oneof(
  anyText.map((text): Damage => () => text),
  fc.array(anyText, { maxLength: 5 }).map((lines): Damage => (text) => `${text}\n${lines.join("\n")}\n`),
  fc.uint8Array({ maxLength: 200 }).map((bytes): Damage => () => bytes),
  fc.nat(10_000).map((at): Damage => (text) => text.slice(0, at % (text.length + 1))),
  fc.tuple(fc.nat(10_000), fc.string({ maxLength: 3 })).map(([at, inserted]): Damage => (text) => {
    const index = at % (text.length + 1);
    return text.slice(0, index) + inserted + text.slice(index + 1);
  }),
  // Replaces one value of a JSON object.
  fc.tuple(fc.nat(100), fc.jsonValue()).map(([index, value]): Damage => (text) => {
    try {
      const record = JSON.parse(text);
      const names = Object.keys(record);
      record[names[index % names.length]!] = value;
      return JSON.stringify(record);
    } catch {
      return JSON.stringify(value);
    }
  }),
);
