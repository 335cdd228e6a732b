// A program that makes waiting calls while the garbage collector runs all the time: `deno run --v8-flags=--expose-gc
// ... DIRECTORY`. Prints what went wrong; if the kernel writes to collected memory, the process usually crashes.
import { plainCalls, waitingCalls } from "../../src/posix/calls.ts";
import { AT_FDCWD, O_CREAT, O_RDWR } from "../../src/posix/libc.ts";
import { cString } from "../../src/posix/tree.ts";

const ROUNDS = 12;
const AT_ONCE = 8;
const PIECE_BYTES = 8 * 1024 * 1024;

const directory = Deno.args[0]!;
const collect = (globalThis as unknown as { gc: () => void }).gc;
const [plain, waiting] = [plainCalls(), waitingCalls()];
const open = async (name: string) =>
  await waiting.openat(AT_FDCWD, cString(`${directory}/${name}`), O_RDWR | O_CREAT, 0o600);

await Deno.writeFile(`${directory}/from`, new Uint8Array(AT_ONCE * PIECE_BYTES).fill(7));
const [from, to] = [await open("from"), await open("to")];
const faults: string[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const answers = Array.from({ length: AT_ONCE }, async (_, index) => {
    const offset = index * PIECE_BYTES;
    const copied = await waiting.copyFileRange(from, offset, to, offset, PIECE_BYTES);
    const bytes = new Uint8Array(4096);
    const read = await waiting.pread(from, bytes, bytes.length, offset);
    if (copied <= 0 || read !== bytes.length || bytes.some((byte) => byte !== 7)) faults.push(`piece ${index}`);
    const file = await open(`name ${index}`);
    if (file < 0) faults.push(`name ${index}`);
    else plain.closeHandle(file);
  });
  for (let turn = 0; turn < 10; turn++) {
    collect();
    const others = Array.from({ length: 3000 }, () => new Uint8Array(new ArrayBuffer(8)));
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (others.some((bytes) => bytes.some((byte) => byte !== 0))) faults.push("memory of others");
  }
  await Promise.all(answers);
}
for (const file of [from, to]) plain.closeHandle(file);
await Deno.stdout.write(new TextEncoder().encode(`faults: ${faults.join(", ") || "none"}\n`));
