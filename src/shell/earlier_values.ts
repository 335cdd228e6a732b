// The values that variables had before a sync changed them, kept in one environment variable. Nested shells, jobs and programs
// inherit it with the others, so `unload` restores the same values everywhere and needs no configuration. Pure.

/**
 * The variable with the earlier values as JSON: `{"HF_HOME": ["/scratch/…", null]}`, the value set and the one before. One that
 * was set together with others has their names, too: `{"HF_HUB_OFFLINE": ["1", null, ["HF_HOME"]]}`.
 */
export const EARLIER_VALUES = "__EULER_FILES_BEFORE";

type Environment = Readonly<Record<string, string>>;

/** The value of a variable that a sync set, and its value before that; null if it was not set. */
interface Change {
  readonly set: string | null;
  readonly before: string | null;
  /** The managed variables with which it was set; none for a managed one. */
  readonly owners: readonly string[];
}

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

function readChanges(env: Environment): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const [name, pair] of Object.entries(parsedObject(env[EARLIER_VALUES] ?? ""))) {
    if (!VARIABLE_NAME.test(name) || !Array.isArray(pair)) continue;
    const [set, before, owners = [], ...more] = pair as unknown[];
    if (isValue(set) && isValue(before) && isNames(owners) && more.length === 0) {
      changes.set(name, { set, before, owners });
    }
  }
  return changes;
}

/** Parses JSON from the environment, which may have been cut off or changed: then the result is empty. */
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

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}

function written(changes: ReadonlyMap<string, Change>): string {
  const entries = [...changes].map(([name, { set, before, owners }]) => [
    name,
    owners.length === 0 ? [set, before] : [set, before, owners],
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

/**
 * The value of {@linkcode EARLIER_VALUES} after these changes (null: is unset). A variable that still has the value of an
 * earlier sync keeps the value from before that sync. A variable that already has the new value, without a recorded sync that
 * set it, counts as unset before: its earlier value is unknown, and restoring a path on scratch would be useless. One that gets
 * its earlier value back is forgotten. `owners`: the managed variables with which others are set.
 */
export function rememberEarlierValues(
  changes: Readonly<Record<string, string | null>>,
  env: Environment,
  owners: Readonly<Record<string, readonly string[]>> = {},
): string {
  const known = readChanges(env);
  for (const [name, set] of Object.entries(changes)) {
    const current = env[name] ?? null;
    const earlier = known.get(name);
    const isFromSync = earlier !== undefined && earlier.set === current;
    const before = isFromSync ? earlier.before : current === set ? null : current;
    const all = new Set([...isFromSync ? earlier.owners : [], ...Object.hasOwn(owners, name) ? owners[name]! : []]);
    if (isFromSync && set === before) known.delete(name);
    else known.set(name, { set, before, owners: [...all] });
  }
  return written(known);
}

/** Whether a sync gave a variable the value that it has in this environment. */
export function isSetBySync(name: string, env: Environment): boolean {
  return env[name] !== undefined && readChanges(env).get(name)?.set === env[name];
}

/** The earlier values of the variables that a sync set together with these managed ones alone. */
export function valuesBeforeOwners(owners: readonly string[], env: Environment): Record<string, string | null> {
  const known = readChanges(env);
  return Object.fromEntries(
    [...known].filter(([name, change]) => (env[name] ?? null) === change.set && goesWith(change, owners, env))
      .map(([name, { before }]) => [name, before !== null && before.isWellFormed() ? before : null]),
  );
}

/** Whether a variable was set together with one of these, and with no other that still has the value of a sync. */
function goesWith(change: Change, names: readonly string[], env: Environment): boolean {
  return change.owners.some((owner) => names.includes(owner)) &&
    change.owners.every((owner) => names.includes(owner) || !isSetBySync(owner, env));
}

/** The result of restoring the earlier values. */
export interface Unloading {
  /** The values to restore; null if the variable was not set. */
  readonly restored: Readonly<Record<string, string | null>>;
  /** Variables that are not restored: they no longer have the value of a sync, or their earlier value cannot be written. */
  readonly left: readonly string[];
  /** The value of {@linkcode EARLIER_VALUES} afterwards; null if nothing remains to restore. */
  readonly remaining: string | null;
  /** Requested names that no sync has set in this environment. */
  readonly unknown: readonly string[];
}

/** Restores the earlier values of the given variables and of what was set with them, or of all if no name is given. */
export function unloadEarlierValues(names: readonly string[], env: Environment): Unloading {
  const known = readChanges(env);
  const restored = new Map<string, string | null>();
  const left: string[] = [];
  for (const [name, change] of [...known]) {
    if (names.length > 0 && !names.includes(name) && !goesWith(change, names, env)) continue;
    const { set, before } = change;
    const current = env[name] ?? null;
    if (current === set && (before === null || before.isWellFormed())) restored.set(name, before);
    else if (current !== before) left.push(name);
    known.delete(name);
  }
  return {
    restored: Object.fromEntries(restored),
    left,
    remaining: known.size === 0 ? null : written(known),
    unknown: names.filter((name) => !restored.has(name) && !readChanges(env).has(name)),
  };
}
