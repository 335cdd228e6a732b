// A Docker registry on loopback with one image, for builds that start from an image reference.
import { freePorts } from "./ports.ts";
import { waitUntil } from "./wait.ts";

/** A running registry. */
export interface Registry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
}

/** Starts Debian's docker-registry and fills it with an OCI layout's image `base` under `name`. */
export async function serveImage(ociLayout: string, name: string): Promise<Registry> {
  const directory = await Deno.makeTempDir({ prefix: "euler-files-registry-" });
  const [port = 0] = freePorts(1);
  const address = `127.0.0.1:${port}`;
  await Deno.writeTextFile(
    `${directory}/config.yml`,
    `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${directory}/data\nhttp:\n  addr: ${address}\n`,
  );
  const server = new Deno.Command("docker-registry", {
    args: ["serve", `${directory}/config.yml`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const stop = async () => {
    server.kill("SIGTERM");
    await server.status;
    await Deno.remove(directory, { recursive: true });
  };
  try {
    await untilAnswering(port);
    const args = ["copy", "--dest-tls-verify=false", `oci:${ociLayout}:base`, `docker://${address}/${name}`];
    const copied = await new Deno.Command("skopeo", { args, stdout: "null", stderr: "piped" }).output();
    if (!copied.success) throw new Error(new TextDecoder().decode(copied.stderr));
  } catch (error) {
    await stop();
    throw error;
  }
  return { address, [Symbol.asyncDispose]: stop };
}

async function untilAnswering(port: number): Promise<void> {
  await waitUntil(
    "the registry answers",
    () =>
      Deno.connect({ hostname: "127.0.0.1", port }).then((connection) => connection.close()).then(
        () => true,
        () => false,
      ),
    { pollMilliseconds: 100 },
  );
}
