// Gets the client of the Hugging Face hub that the tests read caches with, in a Python environment of its own.
import { cacheDirectory } from "./bundle.ts";
import { findUvForTests } from "./prepare_apptainer.ts";

/** The version the tests were written against. */
const HUB_VERSION = "2.4.0";

/** The Python that has huggingface_hub, or undefined where it was not got. */
export function findHubPython(): string | undefined {
  try {
    return Deno.statSync(ready()).isFile ? `${directory()}/bin/python` : undefined;
  } catch {
    return undefined;
  }
}

/** Gets it where it is missing. Throws nothing: the sentences say what was got, or why it could not be. */
export async function prepareClients(): Promise<readonly string[]> {
  const uv = findUvForTests();
  if (findHubPython() !== undefined) return [];
  try {
    if (uv === undefined) throw new Error("uv not installed");
    await Deno.remove(directory(), { recursive: true }).catch(() => {});
    await must([uv, "venv", "--quiet", directory()]);
    await must([
      uv,
      "pip",
      "install",
      "--quiet",
      "--python",
      `${directory()}/bin/python`,
      `huggingface_hub==${HUB_VERSION}`,
    ]);
    await Deno.writeTextFile(ready(), "");
    return [`Installed huggingface_hub ${HUB_VERSION}`];
  } catch (error) {
    return [`Missing: huggingface_hub (${error instanceof Error ? error.message : String(error)})`];
  }
}

function directory(): string {
  return `${cacheDirectory()}/huggingface-hub-${HUB_VERSION}`;
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
