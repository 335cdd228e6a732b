// Writes the file LICENSES: the licences of everything in the executable, from deno.lock and the packages themselves.
import { PROJECT_DIRECTORY, runDeno } from "./bundle.ts";
import { tell } from "./prepare.ts";

/** The part of deno.lock that lists the packages. */
export interface Lock {
  /** `npm:valibot@1.5.0` → `1.5.0`, followed by versions of peers. */
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<
    Record<string, { readonly dependencies?: readonly string[]; readonly optionalDependencies?: readonly string[] }>
  >;
}

/** The packages that the program imports, with their dependencies, as `name@version`; sorted. Pure. */
export function listPackages(
  sources: readonly string[],
  imports: Readonly<Record<string, string>>,
  lock: Lock,
): string[] {
  const imported = sources.flatMap((text) =>
    [...text.matchAll(/(?:from |import\()"([^"]+)"/g)].map(([, name]) => name!)
  )
    .filter((name) => Object.hasOwn(imports, name));
  const waiting = [...new Set(imported)].map((name) => `${name}@${lock.specifiers[imports[name]!]}`);
  const found = new Set<string>();
  for (let key = waiting.pop(); key !== undefined; key = waiting.pop()) {
    if (found.has(key)) continue;
    found.add(key);
    const { dependencies = [], optionalDependencies = [] } = lock.npm[key] ?? {};
    waiting.push(...[...dependencies, ...optionalDependencies].map((name) => keyOf(name, lock)));
  }
  return [...found].map((key) => key.replace(/_.*/, "")).toSorted();
}

/** The key of a dependency: it has a version only if several packages have that name. */
function keyOf(name: string, lock: Lock): string {
  if (Object.hasOwn(lock.npm, name)) return name;
  const keys = Object.keys(lock.npm).filter((key) => key.startsWith(`${name}@`) || key.startsWith(`${name}_`));
  if (keys.length !== 1) throw new Error(`deno.lock has ${keys.length} packages for ${name}`);
  return keys[0]!;
}

/** The contents of the executable, from the project's files: the packages and the version of Deno. */
export async function readContents(): Promise<{ readonly packages: readonly string[]; readonly deno: string }> {
  const read = async (path: string) => await Deno.readTextFile(`${PROJECT_DIRECTORY}/${path}`);
  const sources = await Promise.all(["main.ts", ...await sourcesIn("src")].map(read));
  const { imports } = JSON.parse(await read("deno.json"));
  const deno = /^version=(.+)$/m.exec(await read("scripts/deno"))?.[1] ?? "";
  return { packages: listPackages(sources, imports, JSON.parse(await read("deno.lock"))), deno };
}

async function sourcesIn(directory: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${PROJECT_DIRECTORY}/${directory}`)) {
    const path = `${directory}/${name}`;
    if (isDirectory) paths.push(...await sourcesIn(path));
    else if (name.endsWith(".ts")) paths.push(path);
  }
  return paths.toSorted();
}

const LINE = "=".repeat(80);

/** The heading of a section. */
export function heading(name: string): string {
  return `${LINE}\n${name}\n${LINE}\n`;
}

async function mitText(): Promise<string> {
  const text = await Deno.readTextFile(`${PROJECT_DIRECTORY}/LICENSE`);
  return text.split("\n\n").slice(2).join("\n\n").trim();
}

async function licenseOf(npmPackage: string, npmCache: string): Promise<string> {
  const at = npmPackage.lastIndexOf("@");
  const directory = `${npmCache}/registry.npmjs.org/${npmPackage.slice(0, at)}/${npmPackage.slice(at + 1)}`;
  const { license, repository } = JSON.parse(await Deno.readTextFile(`${directory}/package.json`));
  const texts: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    if (/^licen[cs]e/i.test(name)) texts.push((await Deno.readTextFile(`${directory}/${name}`)).trim());
  }
  if (texts.length === 0) throw new Error(`${npmPackage} has no file LICENSE`);
  const url = typeof repository === "string" ? repository : repository?.url ?? "";
  return `${license}  ${url}\n\n${texts.toSorted().join("\n\n")}\n`;
}

async function writeLicenses(): Promise<void> {
  const { packages, deno } = await readContents();
  const { npmCache } = JSON.parse(await runDeno(["info", "--json"])) as { npmCache: string };
  const sections = await Promise.all(packages.map(async (name) => [name, await licenseOf(name, npmCache)] as const));
  const text = [
    "Licences of what the executable contains\n\n" +
    "euler-files itself is under the licence in LICENSE. The executable is made of it, of the packages below, and of the\n" +
    "runtime of Deno, which contains V8 (BSD-3-Clause), ICU (Unicode-3.0), SQLite (public domain) and libraries in Rust:\n" +
    `https://github.com/denoland/deno/blob/v${deno}/Cargo.lock names these, and each brings its licence with it.\n` +
    "`scripts/deno task licenses` writes this file.\n",
    `${
      heading(`deno@${deno}`)
    }MIT  https://github.com/denoland/deno\n\nCopyright 2018-2025 the Deno authors\n\n${await mitText()}\n`,
    ...sections.map(([name, license]) => `${heading(name)}${license}`),
  ].join("\n");
  await Deno.writeTextFile(`${PROJECT_DIRECTORY}/LICENSES`, text);
  tell([`LICENSES: Deno and ${packages.length} packages`]);
}

if (import.meta.main) await writeLicenses();
