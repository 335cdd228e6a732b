// Every bound function of libc must exist in glibc 2.28, the version of RHEL 8: a later symbol would stop the program
// there.
import assert from "node:assert/strict";
import { BOUND_SYMBOLS } from "../../src/posix/libc.ts";
import { testNeeding } from "../support/needs.ts";

const NEWEST = [2, 28];

/** The first version of each symbol of this machine's libc, as `readelf` prints it. */
async function exportedSymbols(): Promise<ReadonlyMap<string, readonly number[]>> {
  const maps = await Deno.readTextFile("/proc/self/maps");
  const library = /\S*\/libc\.so\.6$/m.exec(maps)?.[0] ?? assert.fail("this process has no libc.so.6");
  const { stdout } = await new Deno.Command("readelf", { args: ["--wide", "--dyn-syms", library] }).output();
  const versions = new Map<string, number[]>();
  for (const [, name, version] of new TextDecoder().decode(stdout).matchAll(/ (\w+)@@?GLIBC_([\d.]+)/g)) {
    const numbers = version!.split(".").map(Number);
    const known = versions.get(name!);
    if (known === undefined || isOlder(numbers, known)) versions.set(name!, numbers);
  }
  return versions;
}

function isOlder(one: readonly number[], other: readonly number[]): boolean {
  const [a = 0, b = 0] = one;
  const [c = 0, d = 0] = other;
  return a < c || (a === c && b < d);
}

testNeeding(["readelf"], "every bound function of libc exists since glibc 2.28 or longer", async () => {
  const exported = await exportedSymbols();
  assert.deepEqual(exported.get("getdents64"), [2, 30], "the table has symbols that came later");
  const unfit = BOUND_SYMBOLS.filter((name) => isOlder(NEWEST, exported.get(name) ?? [99]));
  assert.deepEqual(unfit, []);
});
