// A package index on loopback with wheels made for a test, which remembers the requests it got.
import { createHash } from "node:crypto";

/** One wheel with a module of the same name that contains the version. */
export interface TestPackage {
  readonly name: string;
  readonly version: string;
  /** Further files by their paths, with their texts. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A running index. */
export interface PackageIndex extends AsyncDisposable {
  readonly url: string;
  /** The projects whose pages were requested. */
  readonly asked: readonly string[];
  /** Serves another package from now on. */
  add(one: TestPackage): void;
}

/** Serves the packages as PyPA's "simple" API. */
export function servePackages(packages: readonly TestPackage[]): PackageIndex {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const add = (one: TestPackage) => void files.set(`${one.name}-${one.version}-py3-none-any.whl`, wheelOf(one));
  packages.forEach(add);
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { pathname } = new URL(request.url);
    const file = files.get(decodeURIComponent(pathname.slice("/files/".length)));
    if (pathname.startsWith("/files/")) return file ? new Response(file) : new Response("", { status: 404 });
    const project = /^\/simple\/([^/]+)\/?$/.exec(pathname)?.[1];
    if (project === undefined) return new Response("", { status: 404 });
    asked.push(project);
    const links = [...files.keys()].filter((name) => name.startsWith(`${project}-`))
      .map((name) => `<a href="/files/${encodeURIComponent(name)}">${name}</a>`);
    if (links.length === 0) return new Response("", { status: 404 });
    return new Response(`<!DOCTYPE html><body>${links.join("\n")}</body>`, {
      headers: { "content-type": "text/html" },
    });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/simple`,
    asked,
    add,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function wheelOf({ name, version, files = {} }: TestPackage): Uint8Array<ArrayBuffer> {
  const info = `${name}-${version}.dist-info`;
  const contents: Record<string, string> = {
    ...files,
    [`${name}.py`]: `version = "${version}"\n\n\ndef main():\n    print("${name}", version)\n`,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${info}/entry_points.txt`]: `[console_scripts]\n${name} = ${name}:main\n`,
  };
  const lines = Object.entries(contents).map(([path, text]) => {
    const hash = createHash("sha256").update(text).digest("base64url");
    return `${path},sha256=${hash},${text.length}`;
  });
  contents[`${info}/RECORD`] = [...lines, `${info}/RECORD,,`, ""].join("\n");
  return zipOf(contents);
}

/** A zip archive without compression (APPNOTE.TXT 4.3): for each file a header and its bytes, then the directory. */
export function zipOf(contents: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [path, text] of Object.entries(contents)) {
    const [name, data] = [new TextEncoder().encode(path), new TextEncoder().encode(text)];
    // Version 2.0, no flags, stored, 1980-01-01.
    const common = [
      u16(20),
      u16(0),
      u16(0),
      u16(0),
      u16(33),
      u32(crc32(data)),
      u32(data.length),
      u32(data.length),
      u16(name.length),
      u16(0),
    ];
    const header = join([u32(0x04034b50), ...common, name, data]);
    directory.push(join([
      u32(0x02014b50),
      u16(20 | 3 << 8),
      ...common,
      u16(0),
      u16(0),
      u16(0),
      u32(0o644 << 16),
      u32(offset),
      name,
    ]));
    parts.push(header);
    offset += header.length;
  }
  const listing = join(directory);
  const count = u16(directory.length);
  return join([
    ...parts,
    listing,
    u32(0x06054b50),
    u16(0),
    u16(0),
    count,
    count,
    u32(listing.length),
    u32(offset),
    u16(0),
  ]);
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 255, value >> 8 & 255);
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 255, value >>> 8 & 255, value >>> 16 & 255, value >>> 24 & 255);
}

function join(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >>> 1 ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
