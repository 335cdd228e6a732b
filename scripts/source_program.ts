// Makes the source a program: bundled once into a script that can be called, copied and put on a PATH like the executable.
import { createHash } from "node:crypto";
import { bundle, cacheDirectory, PERMISSIONS, PROJECT_DIRECTORY, WORKERS } from "./bundle.ts";

const DAY_MILLISECONDS = 86_400_000;

/** The path of a script named `euler-files` that runs the current source; made unless an earlier call made it. */
export async function sourceProgram(): Promise<string> {
  const all = `${cacheDirectory()}/source-programs`;
  const directory = `${all}/${await digestOfSources()}`;
  const path = `${directory}/euler-files`;
  const made = await Deno.stat(path).then(() => true, () => false);
  if (made) return path;
  await removeOld(all);
  await Deno.mkdir(directory, { recursive: true });
  // Several test files may run this at once: each makes its own file, and the last rename wins.
  const own = `${directory}/${crypto.randomUUID()}`;
  for (const { entry, name } of WORKERS) {
    await bundle(`${own}.${name}`, entry);
    await Deno.rename(`${own}.${name}`, `${directory}/${name}`);
  }
  await bundle(`${own}.js`);
  await Deno.writeTextFile(own, asScript(await Deno.readTextFile(`${own}.js`), Deno.execPath(), `${all}/deno-cache`));
  await Deno.chmod(own, 0o755);
  await Deno.rename(own, path);
  await Deno.remove(`${own}.js`);
  return path;
}

/** Copies such a script, with the Deno that runs it, into a directory that another user can read. */
export async function copySourceProgram(path: string, directory: string): Promise<void> {
  await Deno.copyFile(Deno.execPath(), `${directory}/deno`);
  await Deno.chmod(`${directory}/deno`, 0o755);
  const from = path.slice(0, path.lastIndexOf("/"));
  for (const { name } of WORKERS) await Deno.copyFile(`${from}/${name}`, `${directory}/${name}`);
  const script = await Deno.readTextFile(path);
  const body = script.slice(script.indexOf("\n;") + 2);
  await Deno.writeTextFile(`${directory}/euler-files`, asScript(body, `${directory}/deno`, `${directory}/deno-cache`));
}

/** A file that is a shell script to the system and, from its third line on, JavaScript to the Deno it starts. */
function asScript(body: string, deno: string, denoCache: string): string {
  const options = ["--no-config", "--no-lock", "--no-remote", "--no-code-cache", "--ext=js", ...PERMISSIONS];
  return [
    "#!/bin/sh",
    `":" //; DENO_NO_UPDATE_CHECK=1 DENO_DIR='${denoCache}' exec '${deno}' run ${options.join(" ")} "$0" "$@"`,
    `;${body}`,
  ].join("\n");
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
