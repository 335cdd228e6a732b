// Gets the Python packages that the tests read and write caches with, in an environment of their own.
import { cacheDirectory } from "./bundle.ts";
import { findUvForTests } from "./prepare_apptainer.ts";

/** The packages, in the versions that the tests were written against. */
const PACKAGES = ["huggingface_hub==2.4.0", "diskcache==5.6.3", "lmdb==3.0.0"];

/** The Python that has them, or undefined where they were not got. */
export function findClientPython(): string | undefined {
  try {
    return Deno.statSync(ready()).isFile ? `${directory()}/bin/python` : undefined;
  } catch {
    return undefined;
  }
}

/** Gets it where it is missing. Throws nothing: the sentences say what was got, or why it could not be. */
export async function prepareClients(): Promise<readonly string[]> {
  const uv = findUvForTests();
  if (findClientPython() !== undefined) return [];
  try {
    if (uv === undefined) throw new Error("uv not installed");
    await Deno.remove(directory(), { recursive: true }).catch(() => {});
    await must([uv, "venv", "--quiet", directory()]);
    await must([uv, "pip", "install", "--quiet", "--python", `${directory()}/bin/python`, ...PACKAGES]);
    await Deno.writeTextFile(ready(), "");
    return [`Installed ${PACKAGES.join(", ")}`];
  } catch (error) {
    return [`Missing: ${PACKAGES.join(", ")} (${error instanceof Error ? error.message : String(error)})`];
  }
}

function directory(): string {
  return `${cacheDirectory()}/clients-${PACKAGES.join("-").replaceAll("==", "-")}`;
}

/** A file that is made last. */
function ready(): string {
  return `${directory()}/ready`;
}

async function must([program, ...args]: readonly string[]): Promise<void> {
  const certificates = await Deno.stat("/etc/ssl/certs/ca-certificates.crt").then(() => true, () => false);
  const index = Deno.env.get("PIP_INDEX_URL");
  const { success, stderr } = await new Deno.Command(program!, {
    args: [...args],
    // uv trusts its own list of certificates; networks with a proxy of their own need the system's.
    env: {
      UV_PYTHON_DOWNLOADS: "never",
      ...(certificates ? { UV_NATIVE_TLS: "1" } : {}),
      ...(index === undefined ? {} : { UV_DEFAULT_INDEX: index }),
    },
    stdin: "null",
    signal: AbortSignal.timeout(240_000),
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim().split("\n").at(-1));
}
