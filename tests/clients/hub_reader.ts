// The real client of the Hugging Face hub as a reader: a Python process that reads a cache again and again, offline.
import { findClientPython } from "../../scripts/prepare_clients.ts";
import { testUnless } from "../support/needs.ts";

/** Why tests with it cannot run; undefined if they can. */
export const HUB_REASON = findClientPython() === undefined ? "huggingface_hub not installed" : undefined;

/** Registers a test that needs huggingface_hub. */
export function testWithHub(name: string, run: () => void | Promise<void>): void {
  testUnless(HUB_REASON, name, run);
}

/** What one reading found: what is wrong, and how many files were read. */
export interface HubLook {
  readonly lacks: readonly string[];
  readonly revision: number | undefined;
}

// `ask ORDERS ANSWERS`: reads the cache for each line written to the first fifo, and answers in the second one. `loop
// CACHE STOP`: reads until the file STOP exists, then prints the counts.
const PROGRAM = `
import json, os, sys, time
from huggingface_hub import snapshot_download
from huggingface_hub.errors import IncompleteSnapshotError, LocalEntryNotFoundError

seen = set()

def read(hub, repository, lacks):
    try:
        path = snapshot_download(repository, cache_dir=hub, local_files_only=True)
    except IncompleteSnapshotError as error:
        lacks.append("%s: %s" % (repository, error))
        return None
    except LocalEntryNotFoundError as error:
        if (hub, repository) in seen: lacks.append("%s is gone: %s" % (repository, error))
        return None
    seen.add((hub, repository))
    texts = {}
    for directory, _, names in os.walk(path):
        for name in names:
            with open(os.path.join(directory, name)) as file: texts[name] = file.read()
    try:
        config = json.loads(texts["config.json"])
        number = str(config["revision"])
        if len(texts) != config["files"]: lacks.append("%s: revision %s has %s" % (repository, number, sorted(texts)))
        if texts.get("vocab.txt") != "vocabulary %s\\n" % number: lacks.append("%s: vocabulary of another revision" % repository)
        if texts.get("model.safetensors", "").rstrip("w") != number: lacks.append("%s: weights of another revision" % repository)
        return int(number)
    except Exception as error:
        lacks.append("%s: %r in %s" % (repository, error, path))

def dataset(root, lacks):
    if not os.path.isdir(root): return
    names = [name for name in os.listdir(root) if not name.endswith(".incomplete")]
    hashes = sorted(names, key=lambda name: os.path.getmtime(os.path.join(root, name)))
    if not hashes:
        if root in seen: lacks.append("no preparation")
        return
    seen.add(root)
    newest = os.path.join(root, hashes[-1])
    try:
        with open(os.path.join(newest, "dataset_info.json")) as file: size = json.load(file)["size"]
        if os.path.getsize(os.path.join(newest, "data.arrow")) != size: lacks.append("%s lacks rows" % newest)
    except Exception as error:
        lacks.append("%s: %r" % (newest, error))

def look(cache):
    lacks, hub = [], os.path.join(cache, "hub")
    revision = read(hub, "org/model", lacks)
    read(hub, "org/other", lacks)
    dataset(os.path.join(cache, "datasets", "d"), lacks)
    return dict(lacks=lacks, revision=revision)

if sys.argv[1] == "ask":
    while True:
        with open(sys.argv[2]) as orders: cache = orders.read().strip()
        if cache == "": break
        with open(sys.argv[3], "w") as answers: json.dump(look(cache), answers)
else:
    looks, lacks, revisions = 0, {}, set()
    while not os.path.exists(sys.argv[3]):
        found = look(sys.argv[2])
        looks += 1
        revisions.add(found["revision"])
        for lack in found["lacks"]: lacks[lack] = lacks.get(lack, 0) + 1
        time.sleep(0.2)
    json.dump(dict(looks=looks, lacks=lacks, revisions=len(revisions)), sys.stdout)
`;

/** A reader that reads when it is asked, while its caller waits. Disposing ends it. */
export class HubReader implements AsyncDisposable {
  private constructor(readonly directory: string, readonly child: Deno.ChildProcess) {}

  static async start(): Promise<HubReader> {
    const directory = await Deno.makeTempDir({ prefix: "euler-files-test-" });
    await new Deno.Command("mkfifo", { args: [`${directory}/orders`, `${directory}/answers`] }).output();
    const child = new Deno.Command(findClientPython()!, {
      args: ["-c", PROGRAM, "ask", `${directory}/orders`, `${directory}/answers`],
      env: ENVIRONMENT,
      stdin: "null",
    }).spawn();
    return new HubReader(directory, child);
  }

  /** Reads a cache now. Nothing else runs in this isolate meanwhile. */
  look(cache: string): HubLook {
    Deno.writeTextFileSync(`${this.directory}/orders`, `${cache}\n`);
    return JSON.parse(Deno.readTextFileSync(`${this.directory}/answers`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Deno.writeTextFileSync(`${this.directory}/orders`, "");
    await this.child.status;
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** The results of a loop. */
export interface LoopCounts {
  readonly looks: number;
  /** How often something was wrong, by what it was. */
  readonly lacks: Readonly<Record<string, number>>;
  /** How many different revisions the reader met. */
  readonly revisions: number;
}

/** Starts a reader that reads a cache until the file `stop` exists. */
export function startHubLoop(cache: string, stop: string): Promise<LoopCounts> {
  const child = new Deno.Command(findClientPython()!, {
    args: ["-c", PROGRAM, "loop", cache, stop],
    env: ENVIRONMENT,
    stdin: "null",
  }).output();
  return child.then(({ success, stdout, stderr }) => {
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return JSON.parse(new TextDecoder().decode(stdout));
  });
}

const ENVIRONMENT = { HF_HUB_DISABLE_PROGRESS_BARS: "1", HF_HUB_OFFLINE: "1", HF_HUB_DISABLE_TELEMETRY: "1" };
