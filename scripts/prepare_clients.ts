// Gets the Python packages with which the tests read and write caches, in a separate environment.
import { cacheDirectory } from "./bundle.ts";
import { findUvForTests } from "./prepare_apptainer.ts";

/**
 * The packages, in the versions that the tests were written against: `small` for the tests, `large`, of 600 MB, for the long proof
 * (`deno task clients`).
 */
const PACKAGES = {
  small: ["huggingface_hub==2.4.0", "diskcache==5.6.3", "lmdb==3.0.0"],
  large: ["huggingface_hub==2.4.0", "datasets==5.2.0", "transformers==5.23.0", "safetensors==0.8.0"],
};

/** Which packages. */
export type ClientPackages = keyof typeof PACKAGES;

/** The Python that has them, or undefined if they were not installed. */
export function findClientPython(packages: ClientPackages = "small"): string | undefined {
  try {
    return Deno.statSync(ready(packages)).isFile ? `${directory(packages)}/bin/python` : undefined;
  } catch {
    return undefined;
  }
}

/** Gets it if it is missing. Throws nothing: the sentences say what was installed, or why it could not be. */
export async function prepareClients(packages: ClientPackages = "small"): Promise<readonly string[]> {
  const uv = findUvForTests();
  const [wanted, environment] = [PACKAGES[packages], directory(packages)];
  if (findClientPython(packages) !== undefined) return [];
  try {
    if (uv === undefined) throw new Error("uv not installed");
    await Deno.remove(environment, { recursive: true }).catch(() => {});
    await must([uv, "venv", "--quiet", environment]);
    await must([uv, "pip", "install", "--quiet", "--python", `${environment}/bin/python`, ...wanted]);
    await Deno.writeTextFile(ready(packages), "");
    return [`Installed ${wanted.join(", ")}`];
  } catch (error) {
    return [`Missing: ${wanted.join(", ")} (${error instanceof Error ? error.message : String(error)})`];
  }
}

function directory(packages: ClientPackages): string {
  return `${cacheDirectory()}/clients-${PACKAGES[packages].join("-").replaceAll("==", "-")}`;
}

/** A file that is made last, as a sign that the environment is complete. */
function ready(packages: ClientPackages): string {
  return `${directory(packages)}/ready`;
}

async function must([program, ...args]: readonly string[]): Promise<void> {
  const certificates = await Deno.stat("/etc/ssl/certs/ca-certificates.crt").then(() => true, () => false);
  const index = Deno.env.get("PIP_INDEX_URL");
  const { success, stderr } = await new Deno.Command(program!, {
    args: [...args],
    // uv trusts its own list of certificates; networks with a proxy of their own need those of the system.
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
