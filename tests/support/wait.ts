// Waits for what other processes do. Every wait has a deadline, because a test that hangs does not say what is wrong.

/** Generous, because only a failing test waits for all of it, and machines that run tests are often busy. */
const DEADLINE_SECONDS = 120;

const POLL_MILLISECONDS = 10;

/** Waits until the condition holds; throws an Error that names `what` where it does not within two minutes, or so many seconds. */
export async function waitUntil(
  what: string,
  condition: () => Promise<boolean>,
  { deadlineSeconds = DEADLINE_SECONDS, pollMilliseconds = POLL_MILLISECONDS }: {
    readonly deadlineSeconds?: number;
    readonly pollMilliseconds?: number;
  } = {},
): Promise<void> {
  const deadline = performance.now() + deadlineSeconds * 1000;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not after ${deadlineSeconds} s`);
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
}

/** Waits until a path exists. */
export async function waitForPath(path: string): Promise<void> {
  await waitUntil(`"${path}" exists`, () => exists(path));
}

/** Whether a path exists; a link exists even if its target does not. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/**
 * Whether a process runs. A zombie does not: /proc keeps its entry until its parent waits for it, and in a container
 * the process that inherits orphans often does not wait for them.
 */
export async function isRunning(pid: string | number): Promise<boolean> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  // proc(5): `PID (NAME) STATE …`, and the name may contain parentheses.
  const state = stat.slice(stat.lastIndexOf(")") + 2)[0];
  return state !== undefined && state !== "Z" && state !== "X";
}
