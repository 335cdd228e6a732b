// A temporary world for a test: a home directory, a scratch and the program on the PATH, all removed at the end.
//
//   await using world = await makeWorld();
//   await world.writeTree("home/.cache/hf", { "models/a.bin": "weights", "models/b": { link: "a.bin" } });
//   await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/.cache/hf") } } });
//   const run = await world.run(["sync", "--json"]);            // run.code, run.stdout, run.stderr, run.json()
//   const shell = await world.shell("fish", "euler-files sync | source; echo $HF_HOME");
//   const job = world.start(["sync"]); await job.seen("HF_HOME"); job.kill("SIGTERM"); (await job.ended).code
//
// The program gets nothing of the environment that the tests run in, except what `env` passes to it.
import { holdAgainstSchema } from "./answer_schema.ts";
import { copyProgram, linkProgram, type Program, programUnderTest } from "./program.ts";
import { startProcess, type TestProcess } from "./process.ts";
import { type Tree, writeTree } from "./tree.ts";

/** A user by numbers. */
export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who runs the program: the user who runs the tests; if that is root (who is denied nothing), uid 65534 or the given
 * user.
 */
export type RunAs = "self" | "unprivileged" | UserIds;

const NOBODY: UserIds = { uid: 65534, gid: 65534 };

/** How one program is run. */
export interface RunOptions {
  /** Changes to {@linkcode World.env}; `null` removes a variable. */
  readonly env?: Readonly<Record<string, string | null>>;
  /** Written to its standard input, which is empty otherwise. */
  readonly stdin?: string;
  readonly cwd?: string;
  /** SIGKILL after this long, so that a hanging program fails its test; 120 s if not given. */
  readonly timeoutSeconds?: number;
  /** `open`: it sees a /dev/fuse that every user may open, as on nodes of clusters; only for {@linkcode mayOpenFuse}. */
  readonly fuse?: "open";
}

/** How the program ended. */
export interface RunResult {
  /** Its exit code; 128 + number if a signal ended it. */
  readonly code: number;
  /** The signal that ended it; null if it exited. */
  readonly signal: Deno.Signal | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What it wrote to stdout, as JSON; throws, with both streams in the message, if that is not one JSON document. */
  // deno-lint-ignore no-explicit-any
  json(): any;
}

/** Runs words in a mount namespace of their own, over whose /dev/fuse one for every user lies. */
const WITH_OPEN_FUSE = [
  "unshare",
  "--mount",
  "sh",
  "-c",
  "mount -t tmpfs none /mnt && mknod -m 666 /mnt/fuse c 10 229 && mount --bind /mnt/fuse /dev/fuse && umount -l /mnt && " +
  'exec "$@"',
  "sh",
];

/** Whether root may make such a namespace here, and a user opens the device in it. */
export function mayOpenFuse(): boolean {
  if (Deno.uid() !== 0) return false;
  const user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const [program, ...args] = [...WITH_OPEN_FUSE, ...user, "sh", "-c", "exec 3<>/dev/fuse"];
  return new Deno.Command(program!, { args, stderr: "null" }).outputSync().success;
}

const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

/** Makes a world. Use it with `await using`. */
export async function makeWorld(options: { readonly runAs?: RunAs } = {}): Promise<World> {
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "euler-files-test-" }));
  for (const name of ["home", "scratch", "tmp", "bin", "fakes"]) await Deno.mkdir(`${root}/${name}`, { mode: 0o700 });
  const program = await programUnderTest();
  const { runAs = "self" } = options;
  const user = runAs === "self" || Deno.uid() !== 0 ? undefined : runAs === "unprivileged" ? NOBODY : runAs;
  if (user !== undefined) await copyProgram(program, `${root}/bin`);
  else await linkProgram(program, `${root}/bin`);
  const world = new World(root, program, user);
  await world.handOver();
  return world;
}

/** What {@linkcode makeWorld} makes. */
export class World implements AsyncDisposable {
  readonly home: string;
  readonly scratch: string;
  /** The path of the program; it is also on the PATH as `euler-files`. */
  readonly executable: string;
  /** The environment of every program that runs in this world. */
  readonly env: Readonly<Record<string, string>>;

  constructor(readonly root: string, readonly program: Program, private readonly user: UserIds | undefined) {
    this.home = `${root}/home`;
    this.scratch = `${root}/scratch`;
    this.executable = `${root}/bin/euler-files`;
    this.env = {
      HOME: this.home,
      SCRATCH: this.scratch,
      TMPDIR: `${root}/tmp`,
      PATH: `${root}/fakes:${root}/bin:${SYSTEM_PATH}`,
      LANG: "C.UTF-8",
    };
  }

  /** The absolute path of one relative to the world: `home/.cache`, `scratch/x`. */
  path(relative: string): string {
    return `${this.root}/${relative}`;
  }

  /** Writes files, directories and links below a directory of the world, which is made if it does not exist. */
  async writeTree(directory: string, tree: Tree): Promise<void> {
    await writeTree(this.path(directory), tree);
    await this.handOver();
  }

  /**
   * Writes `~/.euler-files.json`: version 1 and `$SCRATCH`, overridden by the given fields; a string is written as it
   * is.
   */
  async writeConfig(config: Readonly<Record<string, unknown>> | string): Promise<void> {
    const text = typeof config === "string"
      ? config
      : JSON.stringify({ version: 1, scratch_base: "$SCRATCH", vars: {}, ...config }, undefined, 2);
    await Deno.writeTextFile(`${this.home}/.euler-files.json`, text);
    await this.handOver();
  }

  /** Puts a program first on the PATH: a whole script, with its `#!` line. */
  async fakeProgram(name: string, script: string): Promise<void> {
    await Deno.writeTextFile(`${this.root}/fakes/${name}`, script);
    await Deno.chmod(`${this.root}/fakes/${name}`, 0o755);
    await this.handOver();
  }

  /** Runs euler-files to its end. What it prints with --json is checked against the schema of its command's answer. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const result = await this.start(args, options).ended;
    // The arguments after -- belong to another program.
    const own = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
    if (own.includes("--json")) await holdAgainstSchema(result);
    return result;
  }

  /** Runs any program to its end; a bare name is looked up on this world's PATH. */
  async exec(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return await this.startProgram(program, args, options).ended;
  }

  /** Runs a script in a shell that reads no start-up files. */
  async shell(
    name: "bash" | "zsh" | "dash" | "fish" | "tcsh",
    script: string,
    options: RunOptions = {},
  ): Promise<RunResult> {
    const noStartUpFiles = {
      bash: ["--norc", "--noprofile"],
      zsh: ["-f"],
      dash: [],
      fish: ["--no-config"],
      tcsh: ["-f"],
    };
    return await this.exec(name, [...noStartUpFiles[name], "-c", script], options);
  }

  /** Starts euler-files, so that a test can watch it and send it signals. */
  start(args: readonly string[], options: RunOptions = {}): TestProcess {
    return this.startProgram(this.executable, args, options);
  }

  /** Starts any program. */
  startProgram(program: string, args: readonly string[], options: RunOptions = {}): TestProcess {
    const env: Record<string, string> = { ...this.env };
    for (const [name, value] of Object.entries(options.env ?? {})) {
      if (value === null) delete env[name];
      else env[name] = value;
    }
    const { user } = this;
    const prefix = user ? ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", "--"] : [];
    const words = options.fuse === "open" ? WITH_OPEN_FUSE : [];
    return startProcess({ argv: [...words, ...prefix, program, ...args], env, cwd: options.cwd ?? this.home, options });
  }

  /** Gives all files in this world to the user who runs the program; call it after making some by other means. */
  async handOver(): Promise<void> {
    if (this.user === undefined) return;
    const { success } = await new Deno.Command("chown", {
      args: ["-hR", `${this.user.uid}:${this.user.gid}`, "--", this.root],
    }).output();
    if (!success) throw new Error(`chown of "${this.root}" failed`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A test may have left directories that cannot be entered; their owner may change the mode.
    await new Deno.Command("chmod", { args: ["-R", "u+rwX", "--", this.root], stderr: "null" }).output();
    await Deno.remove(this.root, { recursive: true });
  }
}
