// The lock that a push holds while it writes to the source, since two nodes may push to it, each from its own scratch. Its holder
// changes the time of the lock file while the work moves on: that is all that a push from another scratch can see of it.
import { acquireLock, type HolderProgress, type Lock, type LockRequest } from "./file_lock.ts";
import type { System } from "./system.ts";

/** How often the holder shows that its work moves on, and how often those that wait look. */
const INTERVAL_MILLISECONDS = 1000;

/** What a waiting push may set. */
export type SourceLockRequest = Pick<LockRequest, "path" | "deadlineSeconds" | "deadlineSetting" | "onWait">;

/** Waits for the lock, as long as the holder's work moves on. Errors are those of `acquireLock`. */
export async function acquireSourceLock(request: SourceLockRequest, system: System): Promise<Lock> {
  using watching = new DisposableStack();
  let watch: ReturnType<typeof watchSigns> | undefined;
  return await acquireLock({
    ...request,
    onWait(holder) {
      request.onWait?.(holder);
      watch ??= watching.use(watchSigns(request.path));
    },
    progress: () => watch?.latest(),
  }, system);
}

/** Shows, at most once a second, that the work under the lock moves on. */
export function signsOfWork(path: string): () => void {
  let shownAt = -Infinity;
  return () => {
    if (performance.now() - shownAt < INTERVAL_MILLISECONDS) return;
    shownAt = performance.now();
    const now = new Date();
    // Without a sign the others give up at their deadline: no reason to stop the work.
    void Deno.utime(path, now, now).catch(() => {});
  };
}

function watchSigns(path: string): Disposable & { readonly latest: () => HolderProgress } {
  let seen: string | undefined;
  let movedAt: number | undefined;
  const look = async () => {
    const info = await Deno.lstat(path).catch(() => undefined);
    if (info === undefined) return;
    const sign = `${info.ino} ${info.mtime?.getTime()}`;
    if (seen !== undefined && sign !== seen) movedAt = performance.now();
    seen = sign;
  };
  void look();
  const timer = setInterval(look, INTERVAL_MILLISECONDS);
  return {
    latest: () => ({ movedAt, position: undefined }),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
