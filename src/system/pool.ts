// Runs a limited number of tasks concurrently until the first failure.

/** Runs at most `width` tasks at once. After the first that throws no more are started; `settle` throws its error. */
export class Pool {
  readonly #width: number;
  readonly #running = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  readonly #onFailure: (error: unknown) => void;
  #failure: { readonly error: unknown } | undefined;

  constructor(width: number, onFailure: (error: unknown) => void = () => {}) {
    this.#width = width;
    this.#onFailure = onFailure;
  }

  /** Starts a task, at once or when another ends, unless one has failed. Resolves then, so the caller can wait to add more. */
  async start(task: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#width && this.#failure === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    if (this.#failure !== undefined) return;
    const running = task().catch((error) => {
      this.#failure ??= { error };
      this.#onFailure(error);
    }).finally(() => {
      this.#running.delete(running);
      if (this.#failure === undefined) this.#waiting.shift()?.();
      else for (const resume of this.#waiting.splice(0)) resume();
    });
    this.#running.add(running);
  }

  /** Waits until all started tasks have ended. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** Calls a function for each item, at most `width` at once. */
export async function pooledForEach<T>(
  items: readonly T[],
  width: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const pool = new Pool(width);
  for (const item of items) await pool.start(() => task(item));
  await pool.settle();
}

/** Calls a function for each item, at most `width` at once, and returns the results in the order of the items. */
export async function pooledMap<T, Result>(
  items: readonly T[],
  width: number,
  task: (item: T, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  await pooledForEach([...items.entries()], width, async ([index, item]) => {
    results[index] = await task(item, index);
  });
  return results;
}

/**
 * Maps as {@linkcode pooledMap} does, and reports the results in the order of the items: a result that is ready early waits for
 * those before it. After an error of one task, the finished results are reported before it is thrown.
 */
export async function mapInOrder<T, Result, Reported>(
  { items, width }: { readonly items: readonly T[]; readonly width: number },
  task: (item: T, index: number) => Promise<Result>,
  report: (item: T, result: Result) => Reported,
): Promise<Reported[]> {
  const results = new Map<number, Result>();
  const reported = new Map<number, Reported>();
  const reportIf = (index: number) => {
    if (reported.has(index) || !results.has(index)) return false;
    reported.set(index, report(items[index]!, results.get(index)!));
    return true;
  };
  let next = 0;
  try {
    await pooledForEach([...items.entries()], width, async ([index, item]) => {
      results.set(index, await task(item, index));
      while (reportIf(next)) next++;
    });
  } finally {
    for (const index of items.keys()) reportIf(index);
  }
  return items.map((_, index) => reported.get(index)!);
}
