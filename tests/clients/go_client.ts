// The real go: it downloads modules into its cache, and verifies them offline.
import { zipOf } from "../support/package_index.ts";
import { isInstalled } from "../../scripts/prepare.ts";
import { moveNames } from "./move_names.ts";

/** Why go cannot be used; undefined if it can. */
export const GO_REASON = isInstalled("go") ? undefined : "go not installed";

const MODULE = "example.com/alpha";

/**
 * Adds a version of a module to a proxy, which is a directory, and to a cache: go downloads it into an empty cache,
 * whose files are then moved, the list of versions last. go itself writes that list before the archive.
 */
export async function fillGoCache(proxy: string, cache: string, number: number): Promise<void> {
  const [directory, version] = [`${proxy}/${MODULE}/@v`, `v1.${number}.0`];
  await Deno.mkdir(directory, { recursive: true });
  const mod = `module ${MODULE}\n\ngo 1.20\n`;
  const names = Array.from({ length: 100 }, (_, index) => `part${index}/part.go`);
  const files = Object.fromEntries([["go.mod", mod], ...names.map((name) => [name, source(name, number)])]);
  const inZip = Object.entries(files).map(([name, text]) => [`${MODULE}@${version}/${name}`, text]);
  await Deno.writeFile(`${directory}/${version}.zip`, zipOf(Object.fromEntries(inZip)));
  await Deno.writeTextFile(`${directory}/${version}.mod`, mod);
  await Deno.writeTextFile(`${directory}/${version}.info`, JSON.stringify({ Version: version }));
  await Deno.writeTextFile(`${directory}/list`, `${version}\n`, { append: true });
  const filled = `${proxy}-cache`;
  const failure = await go(["mod", "download", `${MODULE}@${version}`], proxy, {
    cache: filled,
    proxy: `file://${proxy}`,
  });
  if (failure !== undefined) throw new Error(failure);
  const download = `cache/download/${MODULE}/@v`;
  await Deno.remove(`${filled}/${download}/list`);
  const [unpacked, list] = [`${MODULE}@${version}`, `${cache}/${download}/list`];
  await Deno.mkdir(`${cache}/${MODULE}`, { recursive: true });
  await Deno.rename(`${filled}/${unpacked}`, `${cache}/${unpacked}`);
  await moveNames(`${filled}/${download}`, `${cache}/${download}`);
  const versions = await Deno.readTextFile(list).catch(() => "");
  await Deno.writeTextFile(`${filled}/list`, `${versions}${version}\n`);
  await Deno.rename(`${filled}/list`, list);
  await Deno.remove(filled, { recursive: true });
}

function source(name: string, number: number): string {
  return `package ${name.split("/")[0]}\n\nconst Version = ${number}\n\n// ${"x".repeat(2000)}\n`;
}

/** Verifies the newest version that the cache lists, offline, in a new module. Returns what is wrong and the version. */
export async function findFaultsOfGo(
  cache: string,
  directory: string,
): Promise<{ readonly lacks: readonly string[]; readonly revision: string | undefined }> {
  const list = await Deno.readTextFile(`${cache}/cache/download/${MODULE}/@v/list`).catch(() => "");
  const numbers = [...list.matchAll(/^v1\.(\d+)\.0$/gm)].map(([, number]) => Number(number));
  if (numbers.length === 0) return { lacks: [], revision: undefined };
  const version = `v1.${Math.max(...numbers)}.0`;
  await Deno.mkdir(directory, { recursive: true });
  await Deno.writeTextFile(`${directory}/go.mod`, `module m\n\ngo 1.20\n\nrequire ${MODULE} ${version}\n`);
  await Deno.remove(`${directory}/go.sum`).catch(() => {});
  const lacks: string[] = [];
  for (const args of [["mod", "download"], ["mod", "verify"]]) {
    const failure = await go(args, directory, { cache, proxy: "off" });
    if (failure !== undefined) lacks.push(`${version}: ${failure}`);
  }
  return { lacks, revision: version };
}

async function go(
  args: readonly string[],
  cwd: string,
  { cache, proxy }: { readonly cache: string; readonly proxy: string },
): Promise<string | undefined> {
  const { success, stderr } = await new Deno.Command("go", {
    args: [...args],
    cwd,
    env: { GOMODCACHE: cache, GOPROXY: proxy, GOSUMDB: "off", GOFLAGS: "-mod=mod", GOTOOLCHAIN: "local" },
    stdin: "null",
    stdout: "null",
  }).output();
  return success ? undefined : new TextDecoder().decode(stderr).trim();
}
