// A Worker that runs jobs of a transfer. Its first message says how to make system calls; each later message is a job.
import { selectionOf } from "../filter/selection.ts";
import { CachedLooks } from "../posix/cached_looks.ts";
import { type Calls, plainCalls, waitingCalls } from "../posix/calls.ts";
import { setOwnBase } from "../posix/own_base.ts";
import { SystemCallError } from "../posix/errno.ts";
import { messageOf } from "../errors/errors.ts";
import type { JobError, JobMessage, WorkerMessage, WorkerStart } from "./job_runner.ts";
import { JobContext, JobStopped } from "./jobs/job.ts";
import { runJob } from "./jobs/jobs.ts";

/** What a Worker has that the types of the main isolate lack. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerStart | JobMessage>) => void) | null;
  postMessage(message: WorkerMessage): void;
}

const scope = globalThis as unknown as WorkerScope;
let context: JobContext | undefined;
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  if ("form" in data) {
    setOwnBase(data.ownBase);
    const stop = new Int32Array(data.stop);
    context = new JobContext(
      data.form === "plain" ? plainCalls() : waitingWithCachedLooks(),
      data.links,
      () => Atomics.load(stop, 0) !== 0,
      (files, sizeBytes) => scope.postMessage({ files, sizeBytes }),
    );
    context.changes = data.changes;
    context.selection = data.selection === undefined ? undefined : selectionOf(data.selection);
    return;
  }
  // Where calls wait, jobs overlap: when one ends, threads are free for the next.
  if (context!.calls.form === "waiting") void answer(data);
  else last = last.then(() => answer(data));
};

function waitingWithCachedLooks(): Calls {
  const plain = plainCalls();
  const cachedLooks = new CachedLooks({
    statx: (...request) => plain.statx(...request) as number,
    now: () => performance.now(),
  });
  return { ...waitingCalls(plain), cachedLooks };
}

async function answer({ id, name, request }: JobMessage): Promise<void> {
  try {
    const answer = await runJob(name, request, context!);
    context!.tell();
    scope.postMessage({ id, answer });
  } catch (error) {
    context!.tell();
    scope.postMessage({ id, error: describeError(error) });
  }
}

function describeError(error: unknown): JobError {
  const isStop = error instanceof JobStopped;
  if (!(error instanceof SystemCallError)) return { message: messageOf(error), isStop };
  return { message: error.message, isStop, system: { errno: error.errno, call: error.call, path: error.path } };
}
