// The real npm: it fills its cache from a registry on loopback, and installs from it offline.
import { createHash } from "node:crypto";
import { isInstalled } from "../../scripts/prepare.ts";
import { moveFiles } from "./move_names.ts";

/** Why npm cannot be used; undefined if it can. */
export const NPM_REASON = isInstalled("npm") ? undefined : "npm not installed";

/** A running registry with one package, `alpha`. */
export interface Registry extends AsyncDisposable {
  readonly url: string;
  /** Serves another version from now on. */
  add(number: number): Promise<void>;
}

const FILES = 100;

/** Serves npm's registry (package metadata and archives). */
export function serveRegistry(): Registry {
  const archives = new Map<string, Uint8Array<ArrayBuffer>>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname, origin } = new URL(request.url);
    const archive = archives.get(/^\/alpha\/-\/alpha-(.*)\.tgz$/.exec(pathname)?.[1] ?? "");
    if (archive !== undefined) return new Response(archive);
    if (pathname !== "/alpha") return new Response("{}", { status: 404 });
    const versions = [...archives].map(([version, content]) => {
      const integrity = `sha512-${createHash("sha512").update(content).digest("base64")}`;
      return [version, {
        name: "alpha",
        version,
        dist: { tarball: `${origin}/alpha/-/alpha-${version}.tgz`, integrity },
      }];
    });
    const latest = [...archives.keys()].at(-1);
    return Response.json({ name: "alpha", "dist-tags": { latest }, versions: Object.fromEntries(versions) });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    async add(number) {
      const directory = await Deno.makeTempDir();
      await Deno.mkdir(`${directory}/package`);
      const version = `${number}.0.0`;
      await Deno.writeTextFile(`${directory}/package/package.json`, JSON.stringify({ name: "alpha", version }));
      for (let index = 0; index < FILES; index++) {
        await Deno.writeTextFile(`${directory}/package/part${index}.js`, `// ${version} ${"x".repeat(3000)}\n`);
      }
      const { stdout } = await new Deno.Command("tar", { args: ["czf", "-", "-C", directory, "package"] }).output();
      archives.set(version, stdout);
      await Deno.remove(directory, { recursive: true });
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/**
 * Adds the newest version to a cache: npm fills an empty one, whose files are moved by renames, the index last. npm
 * itself requests a short and a full description of a package, and adds each to the index when it arrives: between the
 * two, a reader resolves `latest` from one and looks for that version in the other.
 */
export async function fillNpmCache(cache: string, registry: string, directory: string): Promise<void> {
  const filled = `${directory}-cache`;
  const failure = await install(directory, { cache: filled, registry, network: "--prefer-online" });
  if (failure !== undefined) throw new Error(failure);
  for (const name of ["content-v2", "index-v5"]) {
    await moveFiles(`${filled}/_cacache/${name}`, `${cache}/_cacache/${name}`);
  }
  await Deno.remove(filled, { recursive: true });
}

/**
 * Installs offline, and says what is wrong. npm adds lines to the index of the cache that it reads, which would be a
 * change on both sides for each transfer: so it reads a copy, whose index is copied first, as npm reads it first.
 */
export async function findFaultsOfNpm(
  cache: string,
  registry: string,
  directory: string,
): Promise<{ readonly lacks: readonly string[]; readonly revision: string | undefined }> {
  const copy = `${directory}-cache`;
  await Deno.remove(copy, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${copy}/_cacache`, { recursive: true });
  for (const name of ["index-v5", "content-v2"]) {
    await new Deno.Command("cp", { args: ["-a", `${cache}/_cacache/${name}`, `${copy}/_cacache`] }).output();
  }
  const failure = await install(directory, { cache: copy, registry, network: "--offline" });
  if (failure !== undefined) return { lacks: [failure], revision: undefined };
  const root = `${directory}/node_modules/alpha`;
  const { version } = JSON.parse(await Deno.readTextFile(`${root}/package.json`));
  const lacks: string[] = [];
  for (let index = 0; index < FILES; index++) {
    const text = await Deno.readTextFile(`${root}/part${index}.js`).catch(() => "missing");
    if (!text.startsWith(`// ${version} `)) lacks.push(`alpha ${version}: part${index}.js is ${text.slice(0, 20)}`);
  }
  return { lacks, revision: version };
}

async function install(
  directory: string,
  { cache, registry, network }: { readonly cache: string; readonly registry: string; readonly network: string },
): Promise<string | undefined> {
  await Deno.remove(directory, { recursive: true }).catch(() => {});
  await Deno.mkdir(directory, { recursive: true });
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--logs-max=0", "--no-progress"];
  const { success, stderr } = await new Deno.Command("npm", {
    args: [
      "install",
      "alpha@latest",
      network,
      "--cache",
      cache,
      "--registry",
      registry,
      "--prefix",
      directory,
      ...quiet,
    ],
    cwd: directory,
    stdin: "null",
    stdout: "null",
  }).output();
  return success ? undefined : new TextDecoder().decode(stderr).trim().replaceAll(/\n+/g, "; ");
}
