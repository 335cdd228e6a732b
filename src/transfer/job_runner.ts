// Runs jobs where it pays: a few in the main isolate, many in Workers, so that the main isolate stays free for signals, locks
// and progress. Where calls wait for a server, each isolate has 32 of them under way; elsewhere one after the other.
import type { Calls } from "../posix/calls.ts";
import { plainCalls, readUmask, waitingCalls } from "../posix/calls.ts";
import { SystemCallError } from "../posix/errno.ts";
import { handleBudget } from "../posix/handles.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_ASKED } from "../posix/libc.ts";
import { type OwnBase, ownBase } from "../posix/own_base.ts";
import { STATUS_BYTES } from "../posix/status.ts";
import { cString } from "../posix/tree.ts";
import type { Selection, SelectionData } from "../filter/selection.ts";
import { isOnLocalDisk } from "../system/local_file_system.ts";
import type { System } from "../system/system.ts";
import { BandwidthLimit } from "./bandwidth.ts";
import { JobContext, JobStopped, type LinkMaps, type WatchedChanges } from "./jobs/job.ts";
import { type JobAnswer, type JobName, type JobRequest, runJob } from "./jobs/jobs.ts";

/** A lookup that takes longer than this was answered by a server: then many at once are faster. Local ones take 2 to 20 µs. */
const WAITING_MICROSECONDS = 100;

/**
 * Workers are started from this amount of work: names to list, or ten times the files to copy. Each Worker takes 15 to 40 ms to
 * start and compiles the code again; with local file systems and two processors, 10,000 files are copied faster without them.
 */
const WORTH_WORKERS = { plain: 150_000, waiting: 1500 };
const WEIGHT = { list: 1, copy: 10 };

/** More Workers than this take the processor's time from other jobs of the node. */
const MOST_WORKERS = { plain: 8, waiting: 2 };

/** Workers of all transfers of this process: variables that are staged at the same time share one budget. */
let liveWorkers = 0;

/** A message to a Worker. */
export interface JobMessage {
  readonly id: number;
  readonly name: JobName;
  readonly request: JobRequest<JobName>;
}

/** The first message to a Worker. `stop` is not 0 when all jobs should end. */
export interface WorkerStart {
  readonly form: Calls["form"];
  readonly links: LinkMaps;
  readonly selection: SelectionData | undefined;
  readonly changes: WatchedChanges | undefined;
  readonly stop: SharedArrayBuffer;
  readonly ownBase: OwnBase | undefined;
}

/** A message from a Worker: progress, an answer or an error. */
export type WorkerMessage =
  | { readonly files: number; readonly sizeBytes: number }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: JobError };

/** An error in a form that passes between isolates. */
export interface JobError {
  readonly message: string;
  readonly isStop: boolean;
  readonly system?: { readonly errno: number; readonly call: string; readonly path: string };
}

/** Gets the files and bytes that were done since the last call. */
export type OnDone = (files: number, sizeBytes: number) => void;

/** Runs jobs; `await using` stops running jobs, waits for them, ends the Workers and closes the handles. */
export class JobRunner implements AsyncDisposable {
  readonly form: Calls["form"];
  /** Permission bits that this process leaves out of what it makes. */
  readonly umask: number;
  readonly #system: Pick<System, "signal" | "calls">;
  readonly #here: JobContext;
  readonly #links: LinkMaps;
  readonly #stop = new SharedArrayBuffer(4);
  readonly #stopJobs: () => void;
  readonly #running = new Set<Promise<unknown>>();
  /** Gets the work that jobs of all isolates have done. */
  onDone: OnDone = () => {};
  #weight = 0;
  #workers: WorkerLane[] | undefined;

  constructor(form: Calls["form"], system: Pick<System, "signal" | "calls">, links: LinkMaps = {}) {
    this.form = form;
    this.#links = links;
    this.umask = readUmask();
    this.#system = system;
    const flag = new Int32Array(this.#stop);
    this.#stopJobs = () => void Atomics.store(flag, 0, 1);
    if (system.signal.aborted) this.#stopJobs();
    else system.signal.addEventListener("abort", this.#stopJobs, { once: true });
    const calls = system.calls?.(form) ?? (form === "plain" ? plainCalls() : waitingCalls());
    this.#here = new JobContext(
      calls,
      links,
      () => Atomics.load(flag, 0) !== 0,
      (files, sizeBytes) => this.onDone(files, sizeBytes),
    );
  }

  /** The system calls of the main isolate. */
  get calls(): Calls {
    return this.#here.calls;
  }

  /** The context of the main isolate, for work that has to run there. */
  get here(): JobContext {
    return this.#here;
  }

  /** Sets which names listings return from now on. Call it before the first Worker starts, so that Workers get it, too. */
  select(selection: Selection | undefined): void {
    this.#here.selection = selection;
  }

  /** Announces a number of names to come, so that Workers are started in time. */
  expect(names: number, work: keyof typeof WEIGHT): void {
    this.#weight += names * WEIGHT[work];
    if (this.#workers !== undefined || this.#system.calls !== undefined || this.#here.limit !== undefined) return;
    if (handleBudget().state === "tight") return;
    if (this.#weight < WORTH_WORKERS[this.form]) return;
    const most = Math.min(navigator.hardwareConcurrency, MOST_WORKERS[this.form]);
    const count = Math.min(most, MOST_WORKERS[this.form] - liveWorkers);
    // Other variables use all Workers: until their jobs end, this transfer works in the main isolate.
    if (count <= 0) return;
    liveWorkers += count;
    this.#workers = Array.from({ length: count }, () =>
      new WorkerLane(
        {
          ...{ form: this.form, stop: this.#stop, links: this.#links, ownBase: ownBase() },
          selection: this.#here.selection?.data,
          changes: this.#here.changes,
        },
        (files, sizeBytes) => this.onDone(files, sizeBytes),
      ));
  }

  /**
   * Runs a job. Throws the job's errors, such as SystemCallErrors, and the signal's reason after a signal. `names`: how many
   * names the job handles.
   */
  async run<Name extends JobName>(
    name: Name,
    request: JobRequest<Name>,
    { names = 0 }: { readonly names?: number } = {},
  ): Promise<JobAnswer<Name>> {
    this.#system.signal.throwIfAborted();
    const lane = this.#laneFor(names);
    const running = lane === undefined ? runJob(name, request, this.#here) : lane.run(name, request, names);
    this.#running.add(running);
    try {
      return await running;
    } catch (error) {
      if (error instanceof JobStopped) this.#system.signal.throwIfAborted();
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Small jobs run in the main isolate: that is faster than a message to a Worker. */
  #laneFor(names: number): WorkerLane | undefined {
    if (this.#workers === undefined || names < 8) return undefined;
    return this.#workers.reduce((one, other) => other.load < one.load ? other : one);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#system.signal.removeEventListener("abort", this.#stopJobs);
    // After an error elsewhere jobs may still run, and their calls use handles and buffers.
    if (this.#running.size > 0) this.#stopJobs();
    await Promise.allSettled(this.#running);
    this.#here.close();
    for (const lane of this.#workers ?? []) lane.end();
    liveWorkers -= this.#workers?.length ?? 0;
    this.#workers = undefined;
  }
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly names: number;
}

/** One Worker and the jobs it has. */
class WorkerLane {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #failure: Error | undefined;
  load = 0;

  constructor(start: WorkerStart, readonly onDone: OnDone) {
    // The bundle has its Worker under this name beside the main file.
    const file = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
    this.#worker = new Worker(new URL(file, import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<WorkerMessage>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      // An ended Worker answers no more, so all its jobs are rejected, now and later.
      const error = this.#failure ??= new Error(`A worker ended: ${event.message}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
      this.load = 0;
    };
    this.#worker.postMessage(start);
  }

  run<Name extends JobName>(
    name: Name,
    request: JobRequest<Name>,
    names: number,
  ): Promise<JobAnswer<Name>> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    this.load += names;
    return new Promise<JobAnswer<Name>>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject, names });
      this.#worker.postMessage({ id, name, request } satisfies JobMessage);
    });
  }

  end(): void {
    this.#worker.terminate();
  }

  #receive(message: WorkerMessage): void {
    if ("files" in message) return this.onDone(message.files, message.sizeBytes);
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    this.#waiting.delete(message.id);
    this.load -= waiting.names;
    if ("answer" in message) waiting.resolve(message.answer);
    else waiting.reject(errorOf(message.error));
  }
}

function errorOf({ message, isStop, system }: JobError): Error {
  if (isStop) return new JobStopped();
  return system === undefined ? new Error(message) : new SystemCallError(system.errno, system.call, system.path);
}

/** What a runner is made for. */
export interface RunnerRequest {
  readonly roots: readonly string[];
  /** If it is known; otherwise the latency of the roots decides. */
  readonly form?: Calls["form"];
  readonly links?: LinkMaps;
  readonly changes?: WatchedChanges;
  /** With a limit all work is done in the main isolate, by calls that can be delayed. */
  readonly bandwidthLimitBytesPerSecond?: number | undefined;
}

/** Makes a runner. Costs four lookups for each root; a server that does not answer delays nothing else. */
export async function prepareJobRunner(
  { changes, ...request }: RunnerRequest,
  system: Pick<System, "signal" | "calls">,
): Promise<JobRunner> {
  const runner = await makeJobRunner(request, system);
  runner.here.changes = changes;
  return runner;
}

async function makeJobRunner(
  { roots, form: known, links = {}, bandwidthLimitBytesPerSecond }: Omit<RunnerRequest, "changes">,
  system: Pick<System, "signal" | "calls">,
): Promise<JobRunner> {
  const isTight = handleBudget().state === "tight";
  if (bandwidthLimitBytesPerSecond !== undefined) {
    const runner = new JobRunner("waiting", system, links);
    runner.here.limit = new BandwidthLimit(bandwidthLimitBytesPerSecond);
    return runner;
  }
  if (known !== undefined) return new JobRunner(isTight ? "plain" : known, system, links);
  const slow = await Promise.all(roots.map(async (root) => {
    const [microseconds, isLocal] = await Promise.all([lookupMicroseconds(root, system), isOnLocalDisk(root)]);
    return microseconds > WAITING_MICROSECONDS || !isLocal;
  }));
  // Plain calls, made one after the other, need few open files. But a plain call to a server that goes down would block the
  // main isolate, and with it signals and deadlines.
  const form = slow.includes(true) && !isTight ? "waiting" : "plain";
  return new JobRunner(form, system, links);
}

/** The fastest of several lookups of names that do not exist: a client cannot answer those from its cache. */
async function lookupMicroseconds(root: string, system: Pick<System, "calls">): Promise<number> {
  const status = new Uint8Array(STATUS_BYTES);
  const waiting = system.calls?.("waiting") ?? waitingCalls();
  const plain = system.calls?.("plain") ?? plainCalls();
  const lookUp = (calls: Calls) => {
    const name = cString(`${root}/.euler-files-${crypto.randomUUID().slice(0, 8)}`);
    return calls.statx(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, STATX_ASKED, status);
  };
  // With a dead server a plain call would block signals and locks forever.
  await lookUp(waiting);
  const times: number[] = [];
  for (let turn = 0; turn < 3; turn++) {
    const started = performance.now();
    await lookUp(plain);
    times.push((performance.now() - started) * 1000);
  }
  return Math.min(...times);
}
