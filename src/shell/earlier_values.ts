// What variables were before a sync changed them, kept in one variable of the shell beside them. Nested shells, jobs and
// programs inherit it with the others, so that `unload` gives the same values back everywhere, without a configuration. Pure.

/** The variable that holds the earlier values, as JSON: `{"HF_HOME": ["/scratch/…", null]}`, what was set and what was before. */
export const EARLIER_VALUES = "__EULER_FILES_BEFORE";

type Environment = Readonly<Record<string, string>>;

/** A variable as we set it and as it was before that; null where it was not set. */
interface Change {
  readonly set: string | null;
  readonly before: string | null;
}

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

function readChanges(env: Environment): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const [name, pair] of Object.entries(parsedObject(env[EARLIER_VALUES] ?? ""))) {
    if (!VARIABLE_NAME.test(name) || !Array.isArray(pair) || pair.length !== 2) continue;
    const [set, before] = pair as unknown[];
    if (isValue(set) && isValue(before)) changes.set(name, { set, before });
  }
  return changes;
}

/** Whatever stands in the environment may have been cut or changed: then nothing is known. */
function parsedObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
  } catch {
    return {};
  }
}

function isValue(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function written(changes: ReadonlyMap<string, Change>): string {
  return JSON.stringify(Object.fromEntries([...changes].map(([name, { set, before }]) => [name, [set, before]])));
}

/**
 * The value of {@linkcode EARLIER_VALUES} after these changes (null: is unset). A variable that still has what an earlier sync
 * set keeps what was before that one. A variable that already has the new value and was not set by a sync that is recorded
 * counts as unset before: what it was is not known, and a copy on scratch is nothing to go back to.
 */
export function rememberEarlierValues(changes: Readonly<Record<string, string | null>>, env: Environment): string {
  const known = readChanges(env);
  for (const [name, set] of Object.entries(changes)) {
    const current = env[name] ?? null;
    const earlier = known.get(name);
    const before = earlier !== undefined && earlier.set === current ? earlier.before : current === set ? null : current;
    known.set(name, { set, before });
  }
  return written(known);
}

/** What giving back the earlier values comes to. */
export interface Unloading {
  /** The values to give back; null where the variable was not set. */
  readonly restored: Readonly<Record<string, string | null>>;
  /** Variables that have another value than a sync gave them, or whose earlier value cannot be written. */
  readonly left: readonly string[];
  /** What {@linkcode EARLIER_VALUES} is afterwards; null where nothing is left to give back. */
  readonly remaining: string | null;
  /** Names that were asked for and that no sync has set here. */
  readonly unknown: readonly string[];
}

/** What gives the variables, or those named, their earlier values back. */
export function unloadEarlierValues(names: readonly string[], env: Environment): Unloading {
  const known = readChanges(env);
  const restored: Record<string, string | null> = {};
  const left: string[] = [];
  for (const [name, { set, before }] of [...known]) {
    if (names.length > 0 && !names.includes(name)) continue;
    const current = env[name] ?? null;
    if (current === set && (before === null || before.isWellFormed())) restored[name] = before;
    else if (current !== before) left.push(name);
    known.delete(name);
  }
  return {
    restored,
    left,
    remaining: known.size === 0 ? null : written(known),
    unknown: names.filter((name) => !Object.hasOwn(restored, name) && !readChanges(env).has(name)),
  };
}
