// What can happen to a file that another program, a crash or an attacker has written, as values for property tests.
import fc from "./fast_check.ts";

/** What becomes of the text of a file. */
export type Damage = (text: string) => string | Uint8Array;

/** Text that is JSON, or not, or beyond all measure. */
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

/** Texts that are replaced, cut, continued, or have another byte or value somewhere. */
export const damage: fc.Arbitrary<Damage> = fc.oneof(
  anyText.map((text): Damage => () => text),
  fc.array(anyText, { maxLength: 5 }).map((lines): Damage => (text) => `${text}\n${lines.join("\n")}\n`),
  fc.uint8Array({ maxLength: 200 }).map((bytes): Damage => () => bytes),
  fc.nat(10_000).map((at): Damage => (text) => text.slice(0, at % (text.length + 1))),
  fc.tuple(fc.nat(10_000), fc.string({ maxLength: 3 })).map(([at, inserted]): Damage => (text) => {
    const place = at % (text.length + 1);
    return text.slice(0, place) + inserted + text.slice(place + 1);
  }),
  // One value of a JSON object is another one.
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
