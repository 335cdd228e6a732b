// The executable for aarch64 stages and pushes, and the numbers that it passes to the kernel are right. `deno task
// test:aarch64` compiles it and gets the emulator; without them these tests are skipped.
import { deepEqual, equal, match } from "node:assert/strict";
import { isInstalled } from "../../scripts/prepare.ts";
import { testUnless } from "../support/needs.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const PROGRAM = Deno.env.get("EULER_FILES_AARCH64");
const CHECK = Deno.env.get("EULER_FILES_AARCH64_CHECK");
const EMULATOR = Deno.build.arch === "aarch64" ? [] : ["qemu-aarch64-static"];

const REASON = PROGRAM === undefined || CHECK === undefined
  ? "only in `deno task test:aarch64`"
  : EMULATOR.every(isInstalled)
  ? undefined
  : `${EMULATOR[0]} not installed`;

async function runProgram(program: string, args: readonly string[], world: World) {
  const [command, ...rest] = [...EMULATOR, program, ...args];
  const env = { ...world.env, QEMU_LD_PREFIX: Deno.env.get("QEMU_LD_PREFIX") ?? "" };
  const { code, stdout, stderr } = await new Deno.Command(command!, { args: rest, env, clearEnv: true }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

testUnless(REASON, "constants, structures and system call numbers are those of aarch64", async () => {
  await using world = await makeWorld();
  const { code, stdout, stderr } = await runProgram(CHECK!, [world.path("tmp")], world);
  deepEqual([code, stdout, stderr], [0, "", ""]);
});

testUnless(
  REASON,
  "the executable stages more files than one isolate copies, and a large one, and pushes",
  async () => {
    await using world = await makeWorld();
    const source = world.path("home/hf");
    const files: Record<string, string> = {};
    for (let index = 0; index < 2500; index++) files[`d${index % 50}/f${index}`] = String(index);
    await world.writeTree("home/hf", { ...files, link: { link: "d1/f1" } });
    const large = crypto.getRandomValues(new Uint8Array(65536));
    using file = await Deno.open(`${source}/large`, { write: true, create: true });
    for (let written = 0; written < 50e6; written += large.length) await file.write(large);
    await Deno.link(`${source}/d1/f1`, `${source}/hard`);
    await world.writeConfig({ vars: { HF_HOME: { source } } });
    const first = await runProgram(PROGRAM!, ["sync"], world);
    equal(first.code, 0, first.stderr);
    const target = world.path("scratch/.cache/euler-files/HF_HOME");
    deepEqual(await readTree(target), await readTree(source));
    equal((await Deno.lstat(`${target}/hard`)).nlink, 2);
    await Deno.writeTextFile(`${target}/d1/new`, "new");
    const push = await runProgram(PROGRAM!, ["push"], world);
    equal(push.code, 0, push.stderr);
    equal(await Deno.readTextFile(`${source}/d1/new`), "new");
    match((await runProgram(PROGRAM!, ["sync"], world)).stderr, /HF_HOME +fresh/);
  },
);
