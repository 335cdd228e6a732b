// A small home directory and scratch for programs that get random input, and the check that only permitted changes were
// made.
import assert from "node:assert/strict";
import { type Ended, runInProcess } from "../support/in_process.ts";
import { Judge, type Snapshot } from "../faults/judge.ts";
import { shell, temporaryDirectory } from "../transfer/trees.ts";

/** Commands run in the test's own process, with home directory, scratch and TMPDIR in the sandbox. */
export class Sandbox implements AsyncDisposable {
  readonly #judge = new Judge();

  private constructor(readonly root: string, readonly end: () => PromiseLike<void>) {}

  static async make(): Promise<Sandbox> {
    const directory = await temporaryDirectory("in memory");
    return new Sandbox(directory.path, () => directory[Symbol.asyncDispose]());
  }

  /** Makes everything again: runs a script in the sandbox, which has `home`, `scratch` and `tmp`. */
  async restore(script: string): Promise<void> {
    await shell(`chmod -R u+rwx .; rm -rf ./* ./.[!.]*; mkdir -m 700 -p home scratch tmp; ${script}`, this.root);
  }

  /** Runs a command. Fails the test if it ends as a defect of the program would. */
  async run(
    argv: readonly string[],
    { path = "/nonexistent", stdin = "", env = {} }: {
      readonly path?: string;
      readonly stdin?: string;
      readonly env?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<Ended> {
    const { root } = this;
    const ended = await runInProcess(argv, {
      cwd: `${root}/home`,
      env: { HOME: `${root}/home`, SCRATCH: `${root}/scratch`, TMPDIR: `${root}/tmp`, PATH: path, ...env },
      userId: Deno.uid()!,
      stdin,
    });
    const what = `${argv.join(" ")}: ${ended.code} ${ended.stdout.slice(0, 2000)}${ended.stderr.slice(0, 2000)}`;
    assert.doesNotMatch(ended.stderr, /bug in euler-files|This is a bug|^\s+at /m, what);
    assert.doesNotMatch(ended.stdout, /"kind": ?"bug"/, what);
    assert.ok([0, 1, 2].includes(ended.code), what);
    if (argv.includes("--json")) JSON.parse(ended.stdout);
    return ended;
  }

  /** All names in the sandbox. */
  async describe(): Promise<Snapshot> {
    return await this.#judge.describe(this.root);
  }

  /** Fails the test if an entry changed whose name `mayChange` does not match. */
  async assertUntouched(before: Snapshot, mayChange: RegExp): Promise<void> {
    const after = await this.describe();
    for (const path of new Set([...Object.keys(before), ...Object.keys(after)])) {
      if (mayChange.test(path)) continue;
      const [one, other] = [before[path], after[path]];
      assert.deepEqual([other?.kind, other?.mode, other?.content], [one?.kind, one?.mode, one?.content], path);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#judge[Symbol.asyncDispose]();
    await this.end();
  }
}
