// Environments that use a directory which is to be moved: their files are links into it, or the Python they were made from is there.
import { resolveVenvBase } from "../venv/base.ts";
import { type Dependent, findDependents } from "../venv/outside.ts";
import { CliError } from "../errors/errors.ts";
import { listSome } from "../text/format.ts";
import type { Move, SourceFacts } from "./destination.ts";
import type { Settings } from "./target.ts";

/** Throws a CliError `refused` if the directory would be deleted while environments use it. `keeping` is the command that keeps it. */
export async function refuseDependents(
  { what, from }: Move,
  { realPath }: SourceFacts,
  { config, path, env, cwd }: Settings,
  keeping: string,
): Promise<void> {
  const base = resolveVenvBase({ option: undefined, config: { path, config } }, { env, cwd });
  const dependents = await findDependents(base, [from, realPath]);
  if (dependents.length === 0) return;
  const names = (uses: Dependent["uses"]) =>
    listSome(dependents.filter((one) => one.uses === uses).map(({ venv }) => venv.name));
  const [linked, based] = [names("files of packages"), names("its Python")];
  throw new CliError("refused", `Cannot migrate ${what}: environments in "${base}" need "${from}"`, {
    lines: [
      ...(linked === "" ? [] : [`files of their packages are links into it (UV_LINK_MODE=symlink): ${linked}`]),
      ...(based === "" ? [] : [`the Python that they were made from is in it: ${based}`]),
    ],
    hint: `keep the old directory with \`${keeping}\`; ` +
      "after `UV_LINK_MODE=copy euler-files venv migrate SOURCE TARGET` for each of them it is no longer needed",
  });
}
