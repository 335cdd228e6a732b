// The watchdog: a Worker that looks for calls to file systems that do not return, and tells the main thread. If the main
// thread itself is in such a call, it ends the process: after a signal, and when a call has not returned for too long.
import { parentPort, workerData } from "node:worker_threads";
import { endAtOnce, endBySignal } from "../posix/end_process.ts";
import { filledOutput, PLAIN_OUTPUT } from "./watchdog_output.ts";
import { outputStream } from "./output_stream.ts";
import { HEARTBEAT, LOOKS, silenceError } from "./silence.ts";
import { SilenceWatch } from "./silent_calls.ts";
import { millisecondsSince, type WatchdogMessage, type WatchdogOrder, type WatchdogStart, WORDS } from "./watchdog.ts";

/** The main thread ends after a signal within this time by itself. */
const MAIN_MILLISECONDS = 4000;

/** A little longer; Slurm allows half a minute. */
const SIGNAL_MILLISECONDS = MAIN_MILLISECONDS + 500;

/** After it was told of a call that does not return, the main thread cleans up for 2 s. */
const SILENCE_MILLISECONDS = 4500;

const { seconds, signals, heartbeatSeconds, words, startedAt } = workerData as WatchdogStart;
const tell = (message: WatchdogMessage) => parentPort!.postMessage(message);
let output = PLAIN_OUTPUT;
const watch = new SilenceWatch();
parentPort!.on("message", (order: WatchdogOrder) => {
  if ("output" in order) output = order.output;
  else watch.forgive(order.forgiven);
});

let pings = 0;
for (const signal of signals) {
  Deno.addSignalListener(signal, () => {
    const ping = ++pings;
    tell({ ping });
    setTimeout(() => {
      // A program of the user, or the push after it, goes on: there a slow answer is no reason to end. Ctrl-C still ends it.
      const isTaken = signal !== "SIGINT" && Atomics.load(words, WORDS.takers) > 0;
      const isStuck = !isTaken && Atomics.load(words, WORDS.answered) < ping;
      // The main thread has had time to end. (If it passed this signal to a program of the user and is ending because of a later
      // one, it gets the rest of its time.)
      const stoppingAt = Atomics.load(words, WORDS.stopping);
      const hasHadTime = stoppingAt !== 0 && millisecondsSince(startedAt) - stoppingAt >= MAIN_MILLISECONDS;
      if (isStuck || hasHadTime) endBySignal(signal);
    }, SIGNAL_MILLISECONDS);
  });
}

function look(): void {
  // While a program of the user runs, no call is judged: its own calls are not ours to judge, and we wait for none.
  if (Atomics.load(words, WORDS.programs) > 0) return;
  const silent = watch.look();
  if (silent === undefined) return;
  clearInterval(looking);
  const waited = { silent: silent.path, seconds: Math.round(seconds * silent.looks / LOOKS) };
  const error = silenceError(waited.silent, waited.seconds);
  tell(waited);
  setTimeout(() => {
    const written = filledOutput(error, output);
    for (const [stream, text] of [[Deno.stderr, written.stderr], [Deno.stdout, written.stdout]] as const) {
      outputStream(stream, () => {}).write(text);
    }
    endAtOnce(1);
  }, SILENCE_MILLISECONDS);
}

const looking = seconds === 0 ? undefined : setInterval(look, seconds * 1000 / LOOKS);

if (heartbeatSeconds > 0) {
  const stderr = outputStream(Deno.stderr, () => {});
  setInterval(() => stderr.write(`${HEARTBEAT}\n`), heartbeatSeconds * 1000);
}
