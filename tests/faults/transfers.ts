// The transfers that are run with a fault at each call: a small world with names of every kind, in four directions.
import type { TransferOutcome, TransferRequest } from "../../src/transfer/request.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import type { System } from "../../src/system/system.ts";
import { requestFor, shell, testSystem } from "../transfer/trees.ts";
import { type Intent, INTENTS } from "../transfer/intents.ts";
import type { Judge, Snapshot } from "./judge.ts";
import type { Ended, Subject } from "./harness.ts";

/** A large file with a little content at both ends. */
const LARGE = (text: string) =>
  `truncate -s 33M large; printf ${text} | dd of=large conv=notrunc status=none; printf ${text} >>large`;

const OLD = `
  seq 300 >a; : >empty; mkdir -p d/deep e ro t2 gone/below; echo b >d/b; echo c >d/deep/c; echo stays >d/stays
  ${LARGE("old")}; ln -s a link; ln -s ../nowhere d/l; echo pair >d/h1; ln d/h1 d/deep/h2; mkfifo fifo
  echo locked >ro/f; chmod 555 ro; echo odd >$'odd\\xff'; echo file >t1; echo below >t2/f; echo x >gone/below/x`;

const CHANGES = `
  seq 400 >a; rm d/b; echo new >d/new; mkdir -p nd/nnd; echo x >nd/nnd/x; ln -sfn d link; ${LARGE("changed")}
  echo changed >d/h1; chmod 755 ro; echo unlocked >ro/f; chmod 555 ro; echo odder >$'odd\\xff'
  chmod 750 d/deep; rm t1; mkdir t1; echo y >t1/y; rm -r t2; echo file >t2; rm -r gone; chmod 600 d/stays`;

/** What only the receiving side has, or has changed: a transfer must not touch it. */
const OWN = `echo own >own; echo own >d/own; mkdir mine; echo own >mine/f`;
const OWN_FILES = ["own", "d/own", "mine/f"];

/** A push keeps types: a name that is a file on one side and a directory on the other is left alone. */
const PUSHED = `
  seq 400 >a; echo new >d/new; mkdir -p nd/nnd; echo x >nd/nnd/x; ln -sfn d link; ${LARGE("changed")}
  echo changed >d/h1; echo unlocked >ro/f; echo odder >$'odd\\xff'; mkfifo nd/fifo; rm d/b`;

/** Transfers in one direction. */
export class TransferSubject implements Subject {
  readonly name: Intent;
  readonly #judge: Judge;
  readonly #root: string;
  readonly #template: string;
  #request!: TransferRequest;
  #before!: { readonly from: Snapshot; readonly to: Snapshot };
  #reference!: Snapshot;

  private constructor(intent: Intent, judge: Judge, directory: string) {
    this.name = intent;
    this.#judge = judge;
    this.#root = `${directory}/work`;
    this.#template = `${directory}/template`;
  }

  /** Makes the world of an intent below a directory. */
  static async make(intent: Intent, judge: Judge, directory: string): Promise<TransferSubject> {
    const subject = new TransferSubject(intent, judge, directory);
    await subject.#prepare();
    return subject;
  }

  async #prepare(): Promise<void> {
    const [home, scratch, root] = [`${this.#root}/home`, `${this.#root}/scratch`, this.#root];
    await shell(`mkdir -p ${home}; cd ${home}; ${OLD}`);
    const isUpdate = this.name === "stage-update" || this.name === "push";
    const { manifest } = isUpdate
      ? await transferTree(requestFor(home, scratch), testSystem())
      : { manifest: undefined };
    const [from, to] = this.name === "push" ? [scratch, home] : [home, scratch];
    if (isUpdate) await shell(this.name === "push" ? PUSHED : CHANGES, from);
    if (isUpdate) await shell(OWN, to);
    if (this.name === "mirror") {
      await shell(`mkdir -p scratch/d scratch/mine; cd scratch; ${OWN}`.replace("mkdir mine; ", ""), root);
    }
    const updates = { intent: "stage-update", record: manifest, intentLog: `${root}/intentLog` } as const;
    this.#request = {
      "stage-new": requestFor(from, to),
      "stage-update": requestFor(from, to, updates),
      "push": requestFor(from, to, { ...updates, intent: "push" }),
      "mirror": requestFor(from, to, { intent: "mirror", depth: "look-at-all" }),
    }[this.name];
    await this.#judge.copy(root, this.#template);
    this.#before = { from: await this.#judge.describe(from), to: await this.#judge.describe(to) };
    await transferTree(this.#request, this.#system());
    this.#reference = await this.#judge.describe(to);
  }

  async restore(): Promise<void> {
    await this.#judge.copy(this.#template, this.#root);
  }

  async run(system: System): Promise<Ended> {
    return await transferTree(this.#request, { ...this.#system(), ...system, processId: NO_PROCESS });
  }

  /** No process has this number, so a file with it in its name is known to be abandoned (proc(5), pid_max). */
  #system(): System {
    return { ...testSystem(), processId: NO_PROCESS };
  }

  async check(ended: Ended): Promise<string[]> {
    const { from, to, intent } = this.#request;
    const faults: string[] = [];
    const [sent, received] = [await this.#judge.describe(from), await this.#judge.describe(to)];
    faults.push(...differencesOf(this.#before.from, sent, "exact").map((line) => `sender: ${line}`));
    const isOutcome = typeof ended === "object" && "status" in ended;
    const mayBeTorn = !isOutcome && (intent === "stage-new" || intent === "mirror");
    for (const [path, { kind, content }] of Object.entries(received)) {
      if (kind !== "file" || mayBeTorn || path.startsWith(".euler-files-")) continue;
      const whole = [this.#before.to[path], this.#before.from[path]].map((seen) => seen?.content);
      if (!whole.includes(content)) faults.push(`torn: ${path}`);
    }
    if (this.name !== "stage-new") {
      for (const path of OWN_FILES) {
        if (received[path]?.content !== this.#before.to[path]?.content) faults.push(`the receiver's own ${path}`);
      }
    }
    if (isOutcome && ended.status === "complete") {
      // The next run removes what this one could not remove at its end.
      const others = Object.entries(received).filter(([path]) => !path.startsWith(".euler-files-"));
      const difference = differencesOf(this.#reference, Object.fromEntries(others), this.#exactness);
      faults.push(...difference.map((line) => `complete, but ${line}`));
    }
    return [...faults, ...await this.#checkCleanRun(ended)];
  }

  /** The next run, with a request as `sync` makes it. */
  async #checkCleanRun(ended: Ended): Promise<string[]> {
    const { to, intentLog } = this.#request;
    let request = this.#request;
    const isRecorded = typeof ended === "object" && "status" in ended && ended.status !== "failed";
    if (isRecorded && this.name !== "mirror") {
      const { manifest } = ended as TransferOutcome;
      request = {
        ...request,
        intent: request.intent === "stage-new" ? "stage-update" : request.intent,
        record: manifest,
      };
      if (intentLog !== undefined) await Deno.remove(intentLog).catch(() => {});
    }
    let outcome: TransferOutcome;
    try {
      outcome = await transferTree(request, this.#system());
    } catch (error) {
      return [`the next run fails: ${error}`];
    }
    const faults: string[] = [];
    if (outcome.status !== "complete") {
      faults.push(`the next run is ${outcome.status}: ${JSON.stringify(outcome.missing)}`);
    }
    const received = await this.#judge.describe(to);
    faults.push(
      ...differencesOf(this.#reference, received, this.#exactness).map((line) => `after the next run ${line}`),
    );
    const beside = (await Array.fromAsync(Deno.readDir(this.#root))).map(({ name }) => name);
    const left = beside.filter((name) => !["home", "scratch", "intentLog"].includes(name));
    if (left.length > 0) faults.push(`left behind: ${left.join(", ")}`);
    return faults;
  }

  /** A push does not change the times of directories: they are those of the last write. */
  get #exactness(): "exact" | "but times of directories" {
    return this.name === "push" ? "but times of directories" : "exact";
  }
}

const NO_PROCESS = 4_194_305;

/** The subjects of all directions. */
export async function transferSubjects(judge: Judge, directory: string): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const intent of INTENTS) subjects.push(await TransferSubject.make(intent, judge, `${directory}/${intent}`));
  return subjects;
}

function differencesOf(expected: Snapshot, found: Snapshot, times: "exact" | "but times of directories"): string[] {
  const lines: string[] = [];
  for (const path of new Set([...Object.keys(expected), ...Object.keys(found)])) {
    const [one, other] = [expected[path], found[path]];
    if (one === undefined || other === undefined) lines.push(`${one === undefined ? "extra" : "missing"}: ${path}`);
    else {
      const skipped = times !== "exact" && one.kind === "directory" ? ["mtime"] : [];
      for (const key of ["kind", "mode", "mtime", "content", "sameAs"] as const) {
        if (one[key] !== other[key] && !skipped.includes(key)) {
          lines.push(`${key} of ${path || "the root"}: ${other[key]}`);
        }
      }
    }
  }
  return lines;
}
