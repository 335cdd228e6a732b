// Makes the source a program: bundled once, with a script that can be called, copied and put on a PATH like the executable.
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import { bundle, cacheDirectory, PERMISSIONS, PROJECT_DIRECTORY, WORKERS } from "./bundle.ts";

const DAY_MILLISECONDS = 86_400_000;

/** The bundled source, beside the script that starts it. */
const BUNDLE_NAME = "main.js";

/** The path of a script named `euler-files` that runs the current source; made unless an earlier call made it. */
export async function sourceProgram(): Promise<string> {
  const all = `${cacheDirectory()}/source-programs`;
  const directory = `${all}/${await digestOfSources()}`;
  const path = `${directory}/euler-files`;
  const made = await Deno.stat(path).then(() => true, () => false);
  if (made) return path;
  await removeOld(all);
  await Deno.mkdir(directory, { recursive: true });
  // Several test files may run this at once: each makes its own files, and the last rename wins.
  const own = `${directory}/${crypto.randomUUID()}`;
  for (const { entry, name } of WORKERS) {
    await bundle(`${own}.${name}`, entry);
    await Deno.rename(`${own}.${name}`, `${directory}/${name}`);
  }
  await bundle(`${own}.js`);
  await Deno.rename(`${own}.js`, `${directory}/${BUNDLE_NAME}`);
  await writeScript(own, { deno: Deno.execPath(), denoCache: `${all}/deno-cache`, directory });
  await Deno.rename(own, path);
  return path;
}

/** Copies such a script, with all it needs, into a directory that another user can read. */
export async function copySourceProgram(path: string, directory: string): Promise<void> {
  const from = path.slice(0, path.lastIndexOf("/"));
  for (const name of [BUNDLE_NAME, ...WORKERS.map(({ name }) => name)]) {
    await Deno.copyFile(`${from}/${name}`, `${directory}/${name}`);
  }
  await Deno.copyFile(Deno.execPath(), `${directory}/deno`);
  await Deno.chmod(`${directory}/deno`, 0o755);
  const parts = { deno: `${directory}/deno`, denoCache: `${directory}/deno-cache`, directory };
  await writeScript(`${directory}/euler-files`, parts);
}

/**
 * Writes a file that is a shell script to the system and, from its third line on, JavaScript to the Deno it starts. It can be
 * linked: Deno keeps the compiled bundle by the bundle's own path, which halves the time of a start.
 */
async function writeScript(
  path: string,
  { deno, denoCache, directory }: { readonly deno: string; readonly denoCache: string; readonly directory: string },
): Promise<void> {
  const options = ["--no-config", "--no-lock", "--no-remote", "--ext=js", ...PERMISSIONS];
  const lines = [
    "#!/bin/sh",
    `":" //; DENO_NO_UPDATE_CHECK=1 DENO_DIR='${denoCache}' exec '${deno}' run ${options.join(" ")} "$0" "$@"`,
    `import ${JSON.stringify(pathToFileURL(`${directory}/${BUNDLE_NAME}`).href)};`,
  ];
  await Deno.writeTextFile(path, `${lines.join("\n")}\n`);
  await Deno.chmod(path, 0o755);
}

async function digestOfSources(): Promise<string> {
  const hash = createHash("sha256").update(Deno.execPath());
  const files = ["main.ts", "deno.json", "deno.lock", "scripts/bundle.ts", "scripts/source_program.ts"];
  for (const file of [...files, ...await filesBelow("src")].sort()) {
    hash.update(file).update(await Deno.readFile(`${PROJECT_DIRECTORY}/${file}`));
  }
  return hash.digest("hex").slice(0, 16);
}

async function filesBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(`${PROJECT_DIRECTORY}/${directory}`)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory) found.push(...await filesBelow(path));
    else if (entry.isFile) found.push(path);
  }
  return found;
}

async function removeOld(all: string): Promise<void> {
  await Deno.mkdir(all, { recursive: true });
  for await (const { name } of Deno.readDir(all)) {
    const made = (await Deno.stat(`${all}/${name}`).catch(() => undefined))?.mtime;
    if (made !== undefined && made !== null && Date.now() - made.getTime() > DAY_MILLISECONDS) {
      await Deno.remove(`${all}/${name}`, { recursive: true }).catch(() => {});
    }
  }
}
