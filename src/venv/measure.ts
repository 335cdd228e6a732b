// How large a directory is and when something in it last changed, by looking at each file. Follows no link.

/** What a look at every file found. */
export interface Measure {
  readonly files: number;
  /** What the files say they hold; the disk may need more or less. */
  readonly sizeBytes: number;
  /** Milliseconds since 1970; 0 for an empty directory. */
  readonly lastChange: number;
}

/** As many questions at once as keep a network file system busy (Deno runs 32 file calls side by side). */
const LOOKS_AT_ONCE = 32;

/** Measures everything below a directory. What vanishes or can't be read meanwhile isn't counted. */
export async function measureTree(root: string, signal: AbortSignal): Promise<Measure> {
  const total = { files: 0, sizeBytes: 0, lastChange: 0 };
  const waiting = [root];
  const worker = async () => {
    for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
      signal.throwIfAborted();
      await measureDirectory(directory, waiting, total);
    }
  };
  // A worker that finds the list empty ends, although others may still add to it: so round by round until none is left.
  while (waiting.length > 0) await Promise.all(Array.from({ length: LOOKS_AT_ONCE }, worker));
  return total;
}

async function measureDirectory(
  directory: string,
  waiting: string[],
  total: { files: number; sizeBytes: number; lastChange: number },
): Promise<void> {
  const names = await Array.fromAsync(Deno.readDir(directory)).catch(() => []);
  for (let i = 0; i < names.length; i += LOOKS_AT_ONCE) {
    await Promise.all(
      names.slice(i, i + LOOKS_AT_ONCE).map(async (entry) => {
        const info = await Deno.lstat(`${directory}/${entry.name}`).catch(() => undefined);
        if (info === undefined) return;
        total.lastChange = Math.max(total.lastChange, info.mtime?.getTime() ?? 0);
        if (info.isDirectory) return void waiting.push(`${directory}/${entry.name}`);
        total.files++;
        if (info.isFile) total.sizeBytes += info.size;
      }),
    );
  }
}
