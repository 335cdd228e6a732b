// Whether the environment agrees with the configuration: an old `export` in a start-up file is found here.
import { printable } from "../format.ts";

/** A managed variable with its two directories, absolute. */
export interface CongruencyVariable {
  readonly name: string;
  readonly source: string;
  readonly target: string;
}

/** A variable that points somewhere else: a sentence, and what to do. */
export interface CongruencyWarning {
  readonly text: string;
  readonly hint: string;
}

/**
 * A warning for each variable that is set in `env` to neither its source nor its target: the target is where an evaluated
 * `sync` put it, in this shell or the one that submitted the job. Links and trailing slashes make no difference; `realPath`
 * (throws for what isn't there) is asked only where the texts differ, so a well-kept environment costs no file system call.
 */
export function checkCongruency(
  variables: readonly CongruencyVariable[],
  env: Readonly<Record<string, string>>,
  realPath: (path: string) => string = Deno.realPathSync,
): readonly CongruencyWarning[] {
  return variables.flatMap(({ name, source, target }) => {
    const value = env[name];
    if (value === undefined || value === "") return [];
    const ours = [source, target].map(plainPath);
    if (ours.includes(plainPath(value))) return [];
    const place = whereItIs(value, realPath);
    if (ours.some((path) => whereItIs(path, realPath) === place)) return [];
    return [{
      text: `${name} is set to ${printable(value)} but config source is ${printable(source)}`,
      hint: `take ${name} out of ~/.bashrc or wherever it is set, or run \`euler-files init\` to change its source`,
    }];
  });
}

function plainPath(path: string): string {
  return path.replace(/\/(\.?\/)+/g, "/").replace(/(.)\/\.?$/, "$1");
}

/** The path without links, as far as it exists. */
function whereItIs(path: string, realPath: (path: string) => string): string {
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
