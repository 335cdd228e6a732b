// The four kinds of transfer, each as a scene that is ready to run: the content of both sides, and the request.
import type { TransferRequest } from "../../src/transfer/request.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { requestFor, shell, temporaryDirectory, testSystem } from "./trees.ts";

/** The purposes of a transfer. */
export const INTENTS = ["stage-new", "stage-update", "push", "mirror"] as const;
export type Intent = typeof INTENTS[number];

/** Two directories and the request that transfers from one to the other. */
export interface Scene extends AsyncDisposable {
  readonly root: string;
  readonly from: string;
  readonly to: string;
  readonly request: TransferRequest;
}

/** Scripts that run in a directory: its content at the last transfer, and what changed at the sending side since. */
export interface SceneScripts {
  readonly old: string;
  readonly changes: string;
}

/** Makes a scene. For a new stage and a mirror the receiving side does not exist. */
export async function makeScene(intent: Intent, { old, changes }: SceneScripts): Promise<Scene> {
  const directory = await temporaryDirectory();
  const root = directory.path;
  const [home, scratch] = [`${root}/home`, `${root}/scratch`];
  await shell(`mkdir ${home}; cd ${home}; ${old}`);
  const [from, to] = intent === "push" ? [scratch, home] : [home, scratch];
  const isNew = intent === "stage-new" || intent === "mirror";
  const { manifest } = isNew ? { manifest: undefined } : await transferTree(requestFor(home, scratch), testSystem());
  await shell(changes, from);
  const updates = { intent: "stage-update", record: manifest, intentLog: `${root}/log` } as const;
  const request = {
    "stage-new": requestFor(from, to),
    "stage-update": requestFor(from, to, updates),
    "push": requestFor(from, to, { ...updates, intent: "push" }),
    "mirror": requestFor(from, to, { intent: "mirror", depth: "look-at-all" }),
  }[intent];
  return { root, from, to, request, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

/** The text of a file, or undefined if it does not exist. */
export async function contentOf(path: string): Promise<string | undefined> {
  const bytes = await Deno.readFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
  if (bytes === undefined) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `${bytes.length} bytes, ${digest.toHex()}`;
}
