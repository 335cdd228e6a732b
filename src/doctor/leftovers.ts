// Looks for files that are no longer needed: copies of variables that are not managed, and migrations that did not end.
import { VARIABLE_NAME } from "../config/names.ts";
import { unfinishedMigrations } from "../migration/unfinished.ts";
import { layoutOf } from "../variables/layout.ts";
import type { CheckContext, Finding, Look } from "./check.ts";
import { readNamesIfExists } from "../posix/read_names.ts";

/** The check. */
export const LEFTOVERS_LOOK: Look = { name: "leftovers", run: lookForLeftovers };

async function lookForLeftovers({ config, resolved }: CheckContext): Promise<Finding[]> {
  if (config === undefined || resolved === undefined) return [];
  const name = "leftovers";
  const { cacheRoot } = resolved;
  const names = [...(await readNamesIfExists(cacheRoot))?.keys() ?? []];
  // A directory with a marker beside it is a copy of ours.
  const copies = names.filter((one) => VARIABLE_NAME.test(one) && names.includes(layoutOf("", one).marker.slice(1)));
  const unmanaged = copies.filter((one) => !Object.hasOwn(config.vars, one)).sort();
  const findings = [
    ...unmanaged.map((one): Finding => ({
      ...{ name, state: "warning", text: `${cacheRoot}/${one} is the copy of a variable that is not managed` },
      hint: `manage it again with \`euler-files add ${one} DIRECTORY\`, or remove it with \`euler-files clean ${one}\``,
    })),
    ...(await unfinishedMigrations(config, resolved.path)).map(({ text, hint }): Finding => ({
      ...{ name, state: "warning", text, hint },
    })),
  ];
  return findings.length > 0 ? findings : [{ name, state: "ok", text: "none" }];
}
