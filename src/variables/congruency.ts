// Checks that the environment agrees with the configuration. This finds an old `export` in a start-up file, for a managed
// variable itself and for a variable that programs read before it.
import { listOverriding } from "../config/overriding.ts";
import { listSome, printable } from "../text/format.ts";

/** A managed variable with its two directories, absolute. */
export interface CongruencyVariable {
  readonly name: string;
  readonly source: string;
  readonly target: string;
}

/** A warning about a variable that points somewhere else, and what to do. */
export interface CongruencyWarning {
  readonly text: string;
  readonly hint: string;
}

/**
 * Warns of two kinds of variables in `env`. A managed variable should lead to its source or, after an evaluated `sync` in this
 * shell or in the one that submitted the job, to its target. Another variable that programs read before a managed one should
 * lead into the target: otherwise programs use the slow directory unnoticed. Links and trailing slashes make no
 * difference. `realPath` (throws if the path does not exist) is called only if the texts differ, so a correct environment
 * costs no file system call.
 */
export function checkCongruency(
  variables: readonly CongruencyVariable[],
  env: Readonly<Record<string, string>>,
  realPath: (path: string) => string = Deno.realPathSync,
): readonly CongruencyWarning[] {
  return [...checkManaged(variables, env, realPath), ...checkOverriding(variables, env, realPath)];
}

function checkOverriding(
  variables: readonly CongruencyVariable[],
  env: Readonly<Record<string, string>>,
  realPath: (path: string) => string,
): readonly CongruencyWarning[] {
  const managed = new Set(variables.map(({ name }) => name));
  const isSet = (name: string) => managed.has(name) || (env[name] ?? "") !== "";
  const owners = new Map<string, CongruencyVariable[]>();
  for (const variable of variables) {
    for (const { name, unless = [] } of listOverriding(variable.name)) {
      if (managed.has(name) || !isSet(name) || unless.some(isSet)) continue;
      owners.set(name, [...(owners.get(name) ?? []).filter((other) => other !== variable), variable]);
    }
  }
  return [...owners].flatMap(([name, list]) => {
    const value = env[name]!;
    if (list.some(({ target }) => isInside(value, target, realPath))) return [];
    const copies = listSome(list.map((variable) => variable.name));
    return [{
      text: `${name} is set to ${printable(value)}, and programs look there instead of in the copy of ${copies}`,
      hint: `unset ${name}, and take it out of ~/.bashrc or wherever it is set`,
    }];
  });
}

function checkManaged(
  variables: readonly CongruencyVariable[],
  env: Readonly<Record<string, string>>,
  realPath: (path: string) => string,
): readonly CongruencyWarning[] {
  return variables.flatMap(({ name, source, target }) => {
    const value = env[name];
    if (value === undefined || value === "") return [];
    const ours = [source, target].map(plainPath);
    if (ours.includes(plainPath(value))) return [];
    const resolved = resolvedPath(value, realPath);
    if (ours.some((path) => resolvedPath(path, realPath) === resolved)) return [];
    return [{
      text: `${name} is set to ${printable(value)} but config source is ${printable(source)}`,
      hint: `take ${name} out of ~/.bashrc or wherever it is set, or run \`euler-files init\` to change its source`,
    }];
  });
}

/** Whether a path is a directory or lies in it, by its text or with links resolved. */
function isInside(path: string, directory: string, realPath: (path: string) => string): boolean {
  const within = (inner: string, outer: string) => inner === outer || inner.startsWith(`${outer}/`);
  if (within(plainPath(path), plainPath(directory))) return true;
  return within(resolvedPath(path, realPath), resolvedPath(directory, realPath));
}

function plainPath(path: string): string {
  return path.replace(/\/(\.?\/)+/g, "/").replace(/(.)\/\.?$/, "$1");
}

/** The path with links resolved, as far as it exists. */
function resolvedPath(path: string, realPath: (path: string) => string): string {
  let existing = plainPath(path);
  const missing: string[] = [];
  while (existing.startsWith("/")) {
    try {
      return plainPath([realPath(existing), ...missing].join("/"));
    } catch {
      const end = existing.lastIndexOf("/");
      missing.unshift(existing.slice(end + 1));
      existing = existing.slice(0, end);
    }
  }
  return plainPath(path);
}
