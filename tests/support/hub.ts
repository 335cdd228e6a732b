// A hub of models and datasets on loopback, with the few static routes that the clients of Hugging Face need.
import { createHash } from "node:crypto";

/** A repository in one of its revisions. */
export interface HubRevision {
  readonly kind: "models" | "datasets";
  /** `org/name` */
  readonly name: string;
  readonly files: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>;
}

/** A running hub. */
export interface Hub extends AsyncDisposable {
  readonly url: string;
  /** Serves this revision as `main` from now on; earlier revisions stay available. Returns its commit. */
  add(revision: HubRevision): string;
}

interface Revision {
  readonly commit: string;
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** Serves repositories by the routes of hf.co that huggingface_hub, datasets and transformers use to read. */
export function serveHub(): Hub {
  const repositories = new Map<string, Revision[]>();
  const find = (repository: string, revision: string) =>
    repositories.get(repository)?.findLast(({ commit }) => revision === "main" || revision === commit);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname, searchParams } = new URL(request.url);
    const api = /^\/api\/(models|datasets)\/([^/]+\/[^/]+)(?:\/(revision|tree|paths-info)\/([^/]+)(?:\/(.*))?)?$/
      .exec(pathname);
    if (api !== null) {
      const [, kind, name, what = "revision", revision = "main", below = ""] = api;
      const found = find(`${kind}/${name}`, decodeURIComponent(revision));
      if (found === undefined) return missing("RepoNotFound");
      if (what === "revision") return Response.json(infoOf(name!, found));
      if (what === "paths-info") return Response.json(pathsInfo(found, await pathsIn(request)));
      return Response.json(treeOf(found, below, /^true$/i.test(searchParams.get("recursive") ?? "")));
    }
    const file = /^\/(?:(datasets)\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.*)$/.exec(pathname);
    const found = file === null ? undefined : find(`${file[1] ?? "models"}/${file[2]}`, decodeURIComponent(file[3]!));
    if (file === null || found === undefined) return missing("RepoNotFound");
    return fileAnswer(request, found, decodeURIComponent(file[4]!));
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    add({ kind, name, files }) {
      const encoded = Object.entries(files).map(([path, content]) =>
        [path, typeof content === "string" ? new TextEncoder().encode(content) : content] as const
      );
      const commit = createHash("sha1");
      for (const [path, content] of encoded) commit.update(`${path} ${blobOf(content)}\n`);
      const revisions = repositories.get(`${kind}/${name}`) ?? [];
      const revision = { commit: commit.digest("hex"), files: new Map(encoded) };
      repositories.set(`${kind}/${name}`, [...revisions, revision]);
      return revision.commit;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function pathsIn(request: Request): Promise<readonly string[]> {
  const text = await request.text();
  return text.startsWith("{") ? JSON.parse(text).paths : new URLSearchParams(text).getAll("paths");
}

function infoOf(name: string, { commit, files }: Revision): unknown {
  const siblings = [...files].map(([rfilename, content]) => ({
    ...{ rfilename, size: content.length, blobId: blobOf(content) },
  }));
  const when = "2026-01-01T00:00:00.000Z";
  return {
    ...{ _id: commit.slice(0, 24), id: name, sha: commit, siblings, lastModified: when, createdAt: when },
    ...{ author: name.split("/")[0], private: false, disabled: false, gated: false, downloads: 0, likes: 0, tags: [] },
  };
}

interface HubEntry {
  readonly type: "file" | "directory";
  readonly path: string;
  readonly size: number;
  readonly oid: string;
}

/** All files, and the directories that contain them. */
function entriesOf({ files, commit }: Revision): HubEntry[] {
  const above = [...files.keys()].flatMap((path) =>
    path.split("/").map((_, at, parts) => parts.slice(0, at).join("/"))
  );
  return [
    ...[...new Set(above)].filter((path) => path !== "")
      .map((path) => ({ type: "directory" as const, path, size: 0, oid: commit })),
    ...[...files].map(([path, content]) => ({
      type: "file" as const,
      ...{ path, size: content.length, oid: blobOf(content) },
    })),
  ];
}

function pathsInfo(revision: Revision, wanted: readonly string[]): HubEntry[] {
  return entriesOf(revision).filter(({ path }) => wanted.includes(path));
}

function treeOf(revision: Revision, below: string, isRecursive: boolean): HubEntry[] {
  const prefix = below === "" ? "" : `${below}/`;
  const inside = entriesOf(revision).filter(({ path }) => path.startsWith(prefix));
  return isRecursive ? inside : inside.filter(({ path }) => !path.slice(prefix.length).includes("/"));
}

function fileAnswer(request: Request, { commit, files }: Revision, path: string): Response {
  const content = files.get(path);
  if (content === undefined) return missing("EntryNotFound", commit);
  const headers = { etag: `"${blobOf(content)}"`, "x-repo-commit": commit, "accept-ranges": "bytes" };
  const start = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1];
  const body = content.subarray(Number(start ?? 0));
  const range = start === undefined
    ? {}
    : { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` };
  return new Response(request.method === "HEAD" ? null : body, {
    status: start === undefined ? 200 : 206,
    headers: { ...headers, ...range, "content-length": String(body.length) },
  });
}

function missing(code: string, commit?: string): Response {
  const known = commit === undefined ? {} : { "x-repo-commit": commit };
  return new Response("", { status: 404, headers: { "x-error-code": code, ...known } });
}

/** The object name (hash) that git gives to a content. */
function blobOf(content: Uint8Array): string {
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}
