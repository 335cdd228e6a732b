// Deno 2.6 opens files in its main thread. If the server of their file system is down, that thread would be blocked, and with it
// signals and deadlines; other calls wait in threads of their own.

/** Waits until the file system of a path answers. Call it before the first file is opened there; a missing path is no error. */
export async function waitForServer(path: string): Promise<void> {
  await Deno.stat(path).catch(() => {});
}
