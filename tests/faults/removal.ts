// The removal of a directory, run with a fault at each call.
import { removeInPlace, removeTree } from "../../src/system/remove_tree.ts";
import type { System } from "../../src/system/system.ts";
import { shell } from "../transfer/trees.ts";
import type { Ended, Subject } from "./harness.ts";
import type { Judge, Snapshot } from "./judge.ts";

const TREE = `
  mkdir -p tree/d/deep tree/ro/below tree/empty outside; echo a >tree/a; echo b >tree/d/b; echo c >tree/d/deep/c
  echo f >tree/ro/below/f; ln -s ../outside tree/link; ln -s ../../outside tree/d/link; mkfifo tree/fifo
  echo odd >$'tree/odd\\xff'; ln tree/a tree/d/same; echo mine >outside/mine; chmod 555 tree/ro tree/ro/below`;

/** Removes a small tree; links in the tree lead to a directory beside it. */
export class RemovalSubject implements Subject {
  readonly name = "removal";
  readonly #judge: Judge;
  readonly #root: string;
  readonly #template: string;
  #before!: Snapshot;

  private constructor(judge: Judge, directory: string) {
    this.#judge = judge;
    this.#root = `${directory}/work`;
    this.#template = `${directory}/template`;
  }

  /** Makes the tree below a directory. */
  static async make(judge: Judge, directory: string): Promise<RemovalSubject> {
    const subject = new RemovalSubject(judge, directory);
    await shell(`mkdir -p ${subject.#template}; cd ${subject.#template}; ${TREE}`);
    subject.#before = await judge.describe(subject.#template);
    return subject;
  }

  async restore(): Promise<void> {
    await this.#judge.copy(this.#template, this.#root);
  }

  async run({ calls }: System): Promise<Ended> {
    await removeTree(`${this.#root}/tree`, calls!("waiting"));
    return "done";
  }

  async check(ended: Ended): Promise<string[]> {
    const faults: string[] = [];
    const now = await this.#judge.describe(this.#root);
    const names = Object.keys(now);
    if (ended === "done" && names.some((name) => !/^(|outside|outside\/mine)$/.test(name))) {
      faults.push(`done, but there is ${names.join(", ")}`);
    }
    // Under its own name a tree is complete or gone.
    const isThere = (path: string) => path === "tree" || path.startsWith("tree/");
    const missing = Object.keys(this.#before).filter((path) => isThere(path) && now[path] === undefined);
    if (names.includes("tree") && missing.length > 0) faults.push(`half of the tree is gone: ${missing.join(", ")}`);
    const left = (await Array.fromAsync(Deno.readDir(this.#root))).map(({ name }) => name);
    for (const name of left.filter((name) => name !== "outside")) {
      if (name !== "tree" && !name.startsWith(".euler-files-removing.")) faults.push(`another name: ${name}`);
      await removeInPlace(`${this.#root}/${name}`);
    }
    const last = await this.#judge.describe(this.#root);
    const outside = Object.keys(last).filter((path) => path !== "").toSorted();
    if (outside.join() !== "outside,outside/mine") faults.push(`after the next run there is ${outside.join(", ")}`);
    if (last["outside/mine"]?.content !== this.#before["outside/mine"]?.content) faults.push("a link was followed");
    return faults;
  }
}
