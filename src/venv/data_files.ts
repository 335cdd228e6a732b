// Files outside `bin` into which installers and build systems write the path of an environment.
import { waitingCalls } from "../posix/calls.ts";
import { kindsIn } from "../posix/small_file.ts";
import type { FileKind } from "../posix/status.ts";
import { run } from "../posix/work.ts";
import { sitePackages } from "./venv.ts";

/** Directories with such files, and which names in them; `*` is any directory. */
const BUILD_FILES: readonly (readonly [directory: string, names: RegExp])[] = [
  ["lib/pkgconfig", /\.pc$/],
  ["share/pkgconfig", /\.pc$/],
  ["lib/cmake/*", /\.cmake$/],
  ["share/cmake/*", /\.cmake$/],
  ["share/jupyter/kernels/*", /^kernel\.json$/],
  ["etc/jupyter", /\.json$/],
  ["etc/jupyter/*", /\.json$/],
  ["lib/*", /^_sysconfigdata_.*\.py$/],
];

/** The paths of these files, relative to the environment; some may not exist. */
export async function dataFiles(root: string): Promise<string[]> {
  const paths = ["pyvenv.cfg"];
  for (const site of await sitePackages({ path: root })) {
    const below = site.slice(root.length + 1);
    for (const name of (await kindsOf(site)).keys()) {
      if (/\.(pth|egg-link)$/.test(name) || /^__editable__.*\.py$/.test(name)) paths.push(`${below}/${name}`);
      else if (name.endsWith(".dist-info")) paths.push(`${below}/${name}/direct_url.json`);
    }
  }
  for (const [pattern, names] of BUILD_FILES) {
    for (const directory of await directoriesOf(root, pattern)) {
      for (const name of (await kindsOf(`${root}/${directory}`)).keys()) {
        if (names.test(name)) paths.push(`${directory}/${name}`);
      }
    }
  }
  return paths;
}

async function directoriesOf(root: string, pattern: string): Promise<string[]> {
  if (!pattern.endsWith("/*")) return [pattern];
  const above = pattern.slice(0, -2);
  return [...await kindsOf(`${root}/${above}`)].filter(([, kind]) => kind === "d").map(([name]) => `${above}/${name}`);
}

/** Compiled code of a module: Python runs it if the module has the size and time that it had when it was compiled. */
export async function compiledFiles(root: string, module: string): Promise<string[]> {
  const slash = module.lastIndexOf("/") + 1;
  const [directory, stem] = [`${module.slice(0, slash)}__pycache__`, module.slice(slash).replace(/\.py$/, "")];
  return [...(await kindsOf(`${root}/${directory}`)).keys()]
    .filter((name) => name.startsWith(`${stem}.`) && name.endsWith(".pyc")).map((name) => `${directory}/${name}`);
}

/** The names in a directory with their kinds; empty if there is no such directory or it may not be read. */
export function kindsOf(directory: string): Promise<Map<string, FileKind>> {
  return run(kindsIn(waitingCalls(), directory));
}
