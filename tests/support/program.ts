// The program that end-to-end tests run: the compiled executable that EULER_FILES_TEST_EXECUTABLE names, else the source,
// bundled once for all test files into a script that can be called, copied and put on a PATH like the executable.
import { createHash } from "node:crypto";
import { bundle, cacheDirectory, PERMISSIONS, PROJECT_DIRECTORY } from "../../scripts/bundle.ts";
import { COMPILED_EXECUTABLE } from "./needs.ts";

const DAY_MILLISECONDS = 86_400_000;

/** Something that runs as `euler-files`. */
export interface Program {
  readonly kind: "executable" | "source";
  /** An absolute path. */
  readonly path: string;
}

let found: Promise<Program> | undefined;

/** The program under test; made on the first call. */
export function programUnderTest(): Promise<Program> {
  found ??= COMPILED_EXECUTABLE === undefined
    ? sourceProgram()
    : Deno.realPath(COMPILED_EXECUTABLE).then((path) => ({ kind: "executable", path }));
  return found;
}

/** Copies a program, with the Deno it may need, so that another user can run it; returns the copy's path. */
export async function copyProgram(program: Program, directory: string): Promise<string> {
  const path = `${directory}/euler-files`;
  if (program.kind === "executable") {
    await Deno.copyFile(program.path, path);
  } else {
    await Deno.copyFile(Deno.execPath(), `${directory}/deno`);
    await Deno.chmod(`${directory}/deno`, 0o755);
    const script = await Deno.readTextFile(program.path);
    const body = script.slice(script.indexOf("\n;") + 2);
    await Deno.writeTextFile(path, asScript(body, `${directory}/deno`, `${directory}/deno-cache`));
  }
  await Deno.chmod(path, 0o755);
  return path;
}

async function sourceProgram(): Promise<Program> {
  const all = `${cacheDirectory()}/test-programs`;
  const directory = `${all}/${await digestOfSources()}`;
  const path = `${directory}/euler-files`;
  const made = await Deno.stat(path).then(() => true, () => false);
  if (!made) {
    await removeOld(all);
    await Deno.mkdir(directory, { recursive: true });
    // Several test files may come here at once: each makes its own, and the last rename wins.
    const own = `${directory}/${crypto.randomUUID()}`;
    await bundle(`${own}.js`);
    await Deno.writeTextFile(own, asScript(await Deno.readTextFile(`${own}.js`), Deno.execPath(), `${all}/deno-cache`));
    await Deno.chmod(own, 0o755);
    await Deno.rename(own, path);
    await Deno.remove(`${own}.js`);
  }
  return { kind: "source", path };
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
  const hash = createHash("sha256").update(Deno.execPath()).update(PERMISSIONS.join());
  const files = ["main.ts", "deno.json", "deno.lock", "scripts/bundle.ts", "tests/support/program.ts"];
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
