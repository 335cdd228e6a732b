// Runs a command as a process again and again, each time with a kill or an error at another of its system calls, then
// `status` and the same command once more, and collects what was wrong.
import { programUnderTest } from "../support/program.ts";
import { UV } from "../support/uv.ts";
import type { Judge, Seen, Snapshot } from "./judge.ts";
import type { Report } from "./harness.ts";
import { type Act, supervise, type Supervised, type SuperviseRequest } from "./supervise.ts";
import type { TriedCommand } from "./tried_commands.ts";

/** Which points of a command are tried. */
export interface CrashSample {
  readonly acts: readonly Act[];
  readonly watch: SuperviseRequest["watch"];
  /**
   * The share of the calls that is tried with each act: 1 for all, 1/10 for every tenth. Each act begins at another
   * call.
   */
  readonly share: number;
}

/** Where the commands run: `path` is made again for each point, `own` has the files of the test itself. */
export interface CrashSetup {
  readonly path: string;
  readonly own: string;
  readonly judge: Judge;
}

const CONFIG = "home/.euler-files.json";

/** Locks and records have other contents in each run. */
const VOLATILE = /\.(lock|lease|synced|manifest|source|progress)$|^tmp\/apptainer\.log$|\.euler-files\.json$/;

/** Temporary names: no program reads these files yet, or any more. */
const PRIVATE = /\.euler-files-|\.partial(\.|\/|$)|\.incoming[.-]|\.migrated-|\.progress$|\.intent-log$/;

/** Lists of names in TMPDIR, which is removed with the job: the next command that writes such a list removes them. */
const LEFT_IN_TMPDIR = /^tmp\/\.euler-files-lists\./;

/** Tries a command. */
export async function tryCrashPoints(
  name: string,
  command: TriedCommand,
  setup: CrashSetup,
  { acts, watch, share }: CrashSample,
): Promise<Report> {
  const tried = await CrashSubject.make(command, setup, watch);
  const wrong: string[] = [];
  let runs = 0;
  for (const [number, act] of acts.entries()) {
    const every = Math.max(1, Math.round(1 / share));
    for (let at = Math.floor(number * every / acts.length); at < tried.calls; at += every) {
      const { reached, found } = await tried.attempt(act, at);
      if (reached === undefined) continue;
      runs++;
      if (found.length > 0) wrong.push(`${name}: ${act} at ${at}, ${reached}: ${found.join("; ")}`);
    }
  }
  return { name: `${name}, ${watch}`, calls: tried.calls, runs, wrong };
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command with its world before, after one and after two runs without a fault. */
export class CrashSubject {
  #before: Snapshot = {};
  #once: Snapshot = {};
  #twice: Snapshot = {};
  #secondCode = 0;
  calls = 0;

  private constructor(
    private readonly command: TriedCommand,
    private readonly setup: CrashSetup,
    private readonly watch: SuperviseRequest["watch"],
    private readonly program: string,
  ) {}

  static async make(command: TriedCommand, setup: CrashSetup, watch: SuperviseRequest["watch"]): Promise<CrashSubject> {
    const subject = new CrashSubject(command, setup, watch, (await programUnderTest()).path);
    await subject.#prepare();
    return subject;
  }

  async #prepare(): Promise<void> {
    const { path, own, judge } = this.setup;
    await judge.remove(path);
    await Deno.mkdir(path, { recursive: true });
    await Deno.mkdir(`${own}/bin`, { recursive: true });
    const fake = await Deno.readTextFile(new URL("../fakes/apptainer", import.meta.url));
    const log = fake.replace("${APPTAINER_LOG:?}", `'${path}/tmp/apptainer.log'`);
    await Deno.writeTextFile(`${own}/bin/apptainer`, log, { mode: 0o755 });
    const edit = `#!/bin/sh\nsed -i 's/"lock_timeout_seconds": 20/"lock_timeout_seconds": 30/' "$1"\n`;
    await Deno.writeTextFile(`${own}/bin/edit-config`, edit, { mode: 0o755 });
    if (UV !== undefined) await Deno.copyFile(UV, `${own}/bin/uv`);
    const setUp = `cd ${path}; ef() { ${this.program} "$@"; }\n${this.command.setUp.replaceAll("ROOT", path)}`;
    const { success, stderr } = await new Deno.Command("bash", {
      args: ["-euc", setUp],
      env: { ...this.#env, PATH: `${this.#env.PATH}:/usr/bin:/bin` },
      clearEnv: true,
    }).output();
    if (!success) throw new Error(`${this.command.argv.join(" ")}: ${new TextDecoder().decode(stderr)}`);
    await judge.copy(path, `${own}/template`);
    this.#before = await judge.describe(path);
    const first = await this.#run(this.command.argv, {});
    if (first.code !== 0) throw new Error(`without a fault: ${first.code} ${first.stderr}`);
    this.calls = first.calls.length;
    this.#once = await judge.describe(path);
    this.#secondCode = (await this.#runWhole(this.command.argv)).code;
    this.#twice = await judge.describe(path);
  }

  get #env(): Record<string, string> {
    const { path, own } = this.setup;
    return {
      HOME: `${path}/home`,
      SCRATCH: `${path}/scratch`,
      TMPDIR: `${path}/tmp`,
      PATH: `${own}/bin:/usr/local/bin:/usr/bin:/bin`,
      LANG: "C.UTF-8",
      EDITOR: "edit-config",
      UV_CACHE_DIR: `${own}/uv-cache`,
      UV_OFFLINE: "1",
    };
  }

  async #run(argv: readonly string[], options: { readonly at?: number; readonly act?: Act }): Promise<Supervised> {
    const { path, own } = this.setup;
    const stdin = this.command.stdin === undefined ? {} : { stdin: this.command.stdin };
    const common = { env: this.#env, cwd: path, root: path, log: `${own}/log`, watch: this.watch };
    return await supervise({ ...common, argv: [this.program, ...argv], ...options, ...stdin });
  }

  /** A run without a fault. */
  async #runWhole(argv: readonly string[]): Promise<Ended> {
    const child = new Deno.Command(this.program, {
      args: [...argv],
      env: this.#env,
      clearEnv: true,
      cwd: this.setup.path,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(this.command.stdin ?? "")).catch(() => {});
    await writer.close().catch(() => {});
    const { code, stdout, stderr } = await child.output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  }

  /** One point; `reached` is the call at which it happened, undefined if the run ended before. */
  async attempt(act: Act, at: number): Promise<{ readonly reached: string | undefined; readonly found: string[] }> {
    const { path, own, judge } = this.setup;
    await judge.copy(`${own}/template`, path);
    const run = await this.#run(this.command.argv, { at, act });
    const reached = run.calls[at]?.replaceAll(path, "");
    if (reached === undefined) return { reached, found: [] };
    const found: string[] = [];
    const middle = await judge.describe(path);
    found.push(...this.#ending(run, act), ...this.#lost(middle));
    // Without a marker the next run compares the target again; the differences after that run show whether it did.
    const isUnmarked = (line: string) => /missing: \S+\.synced$/.test(line);
    if (run.code === 0) found.push(...this.#differences(middle, "code 0, but").filter((line) => !isUnmarked(line)));
    if (middle[CONFIG] === undefined && this.#before[CONFIG] !== undefined) found.push("the configuration is gone");
    found.push(...await this.#falselyTold("then", run));
    const again = await this.#runWhole(this.command.argv);
    if (again.code !== 0 && again.code !== this.#secondCode) {
      found.push(`again: ${again.code} ${again.stderr.trim()}`);
    }
    found.push(...this.#differences(await judge.describe(path), "after the next run"));
    found.push(...await this.#falselyTold("again", again));
    for (const argv of this.command.after ?? []) {
      const { code, stderr } = await this.#runWhole(argv);
      if (code !== 0) found.push(`${argv.join(" ")} afterwards: ${code} ${stderr}`);
    }
    if (this.command.after !== undefined) found.push(...await this.#falselyTold("afterwards"));
    return { reached, found };
  }

  #ending({ code, stderr }: Supervised, act: Act): string[] {
    const text = stderr.trim();
    if (code === 124) return [`no end within a minute: ${text}`];
    if (/bug in euler-files|This is a bug|^\s+at /m.test(text)) return [`a bug: ${text}`];
    const isKill = act === "kill" || act === "kill-one" || act === "torn";
    if (!isKill && code !== 0 && !/^error: /m.test(text)) return [`code ${code} without a reason: ${text}`];
    return [];
  }

  /**
   * Every file of the source must exist with its old content or that of a run without a fault, or the command must
   * remove it.
   */
  #lost(middle: Snapshot): string[] {
    const found: string[] = [];
    const contents = (seen: Snapshot) => new Set(Object.values(seen).map(({ kind, content }) => `${kind} ${content}`));
    const [remaining, meant] = [contents(middle), contents(this.#once)];
    for (const [path, seen] of Object.entries(this.#before)) {
      if (this.#varies(path) || PRIVATE.test(path)) continue;
      const { kind, content } = seen;
      if (/^(home|scratch)\/others/.test(path) && !isSame(middle[path], seen)) found.push(`foreign: ${path}`);
      if (kind === "directory") continue;
      if (path.startsWith("home/") && meant.has(`${kind} ${content}`) && !remaining.has(`${kind} ${content}`)) {
        found.push(`lost: ${path}`);
      }
      if (path.startsWith("home/") && this.#once[path] !== undefined && middle[path] === undefined) {
        found.push(`missing: ${path}`);
      }
    }
    for (const [path, seen] of Object.entries(middle)) {
      if (seen.kind !== "file" || this.#varies(path) || PRIVATE.test(path)) continue;
      if (this.command.grows?.test(path)) continue;
      const whole = [this.#before, this.#once, this.#twice].map((snapshot) => snapshot[path]?.content);
      // A name that no other run has is a temporary one: if it stays, the check after the next run finds it.
      if (whole.some((one) => one !== undefined) && !whole.includes(seen.content)) found.push(`torn: ${path}`);
    }
    return found;
  }

  /** What `status` wrongly calls fresh, and what a run exports although it is incomplete. */
  async #falselyTold(when: string, run?: Ended): Promise<string[]> {
    const { code, stdout, stderr } = await this.#runWhole(["status", "--json"]);
    if (code === 2 && this.#before[CONFIG] === undefined) return [];
    if (code !== 0) return [`${when} status: ${code} ${stdout}${stderr}`];
    const found: string[] = [];
    const { variables } = JSON.parse(stdout);
    for (const { name, status, source, scratch } of variables) {
      if (status === "fresh") found.push(...await this.#unlike(`${when} fresh ${name}`, source, scratch));
    }
    if (run === undefined || this.command.stdout !== "exports") return found;
    const shell = await evaluate(run);
    if (shell.status === 0 && (run.code !== 0 || shell.exported.size < EXPORTED.length)) {
      found.push(`${when} the shell goes on after code ${run.code}: ${run.stdout}`);
    }
    for (const { name, source } of variables) {
      const directory = shell.exported.get(name);
      if (directory !== undefined) found.push(...await this.#unlike(`${when} exported ${name}`, source, directory));
    }
    return found;
  }

  /** Files of the source that the target lacks or has with other content, unless a job changed them. */
  async #unlike(what: string, source: string, copy: string): Promise<string[]> {
    const [at, copied] = [await this.setup.judge.describe(source), await this.setup.judge.describe(copy)];
    const differing = Object.entries(at).filter(([path, seen]) => {
      if (path.startsWith(".euler-files-")) return false;
      const found = copied[path];
      // A job changed it on scratch: after a run without a fault it is the same.
      const meant = this.#once[`${copy.slice(this.setup.path.length + 1)}/${path}`];
      const isSeen = (one: Seen | undefined) => one?.kind === found?.kind && one?.content === found?.content;
      return !isSeen(seen) && (found === undefined || !isSeen(meant));
    });
    return differing.length === 0 ? [] : [`${what} lacks ${differing.slice(0, 4).map(([path]) => path).join(", ")}`];
  }

  #varies(path: string): boolean {
    return VOLATILE.test(path) || this.command.varies?.test(path) === true;
  }

  /** The differences if a world is neither as after one run without a fault nor as after two. */
  #differences(found: Snapshot, what: string): string[] {
    const { leaves } = this.command;
    const [once, twice] = [this.#once, this.#twice].map((expected) =>
      differencesOf(expected, found, (path) => this.#varies(path))
        .filter((line) =>
          leaves === undefined || !leaves.test(line.split(" ").find((word) => word.includes("/")) ?? "")
        )
    );
    const fewer = once!.length <= twice!.length ? once! : twice!;
    return fewer.slice(0, 6).map((line) => `${what} ${line}`);
  }
}

const EXPORTED = ["HF_HOME", "TORCH_HOME"];

/** What a shell makes of the output, called as in the README: its status, and the values of its variables. */
async function evaluate(
  { code, stdout }: Ended,
): Promise<{ readonly status: number; readonly exported: ReadonlyMap<string, string> }> {
  const text = code === 0 ? stdout : `${stdout}false\n`;
  const script = `eval "$1"; echo "$?"; ${EXPORTED.map((name) => `echo "\${${name}-}"`).join("; ")}`;
  const shell = await new Deno.Command("bash", { args: ["-c", script, "bash", text], env: {}, clearEnv: true })
    .output();
  const [status, ...values] = new TextDecoder().decode(shell.stdout).split("\n");
  // A shell that ends at a syntax error prints nothing.
  return {
    status: status === "" ? 2 : Number(status),
    exported: new Map(
      EXPORTED.map((name, index) => [name, values[index] ?? ""] as const).filter(([, value]) => value !== ""),
    ),
  };
}

function isSame(one: Seen | undefined, other: Seen): boolean {
  return one !== undefined && one.content === other.content && one.kind === other.kind && one.mode === other.mode;
}

/** Compares names, kinds, modes, links and contents; contents only of files that have the same one in each run. */
function differencesOf(expected: Snapshot, found: Snapshot, varies: (path: string) => boolean): string[] {
  const [one, other] = [withNames(expected), withNames(found)];
  const lines: string[] = [];
  for (const path of new Set([...one.keys(), ...other.keys()])) {
    const [wanted, seen] = [one.get(path), other.get(path)];
    const isOneSided = wanted === undefined || seen === undefined;
    if (isOneSided && /\.lock(\.lease)?$|\.(source|progress)$|^home\/uv2\//.test(path)) continue;
    if (wanted === undefined && LEFT_IN_TMPDIR.test(path)) continue;
    if (wanted === undefined || seen === undefined) {
      lines.push(`${wanted === undefined ? "extra" : "missing"}: ${path}`);
    } else if (wanted.kind !== seen.kind || wanted.mode !== seen.mode) {
      lines.push(`other kind or mode: ${path} ${seen.mode.toString(8)} instead of ${wanted.mode.toString(8)}`);
    } else if (wanted.content !== seen.content && !varies(path)) lines.push(`other content: ${path}`);
  }
  return lines;
}

/** Replaces times and random parts of names, so that they are the same in each run. */
function withNames(snapshot: Snapshot): Map<string, Seen> {
  return new Map(
    Object.entries(snapshot).map(([path, seen]) => [path.replace(/\.(migrated|replaced)-[0-9T]+/, ".$1-T"), seen]),
  );
}
