// What tests of real Python environments use: uv and the system's Python.
import { findUvForTests } from "../../scripts/prepare_apptainer.ts";
import { isInstalled } from "../../scripts/prepare.ts";
import { testUnless } from "./needs.ts";
import type { World } from "./world.ts";

/** The uv that tests run, if there is one. */
export const UV: string | undefined = findUvForTests();

/** Why tests with uv cannot run; undefined if they can. */
export const UV_REASON = UV === undefined
  ? "uv not installed"
  : isInstalled("python3")
  ? undefined
  : "python3 not installed";

/** Registers a test that needs uv and a Python of the system. */
export function testWithUv(name: string, run: () => void | Promise<void>): void {
  testUnless(UV_REASON, name, run);
}

/** Puts uv into a world, with settings that restrict it to the Python of the system. */
export async function giveUv(world: World): Promise<Record<string, string>> {
  await Deno.copyFile(UV!, world.path("bin/uv"));
  await Deno.chmod(world.path("bin/uv"), 0o755);
  await world.handOver();
  // uv trusts its own list of certificates; networks with their own proxy need the system's.
  const certificates = await Deno.stat("/etc/ssl/certs/ca-certificates.crt").then(() => true, () => false);
  return {
    UV_PYTHON_DOWNLOADS: "never",
    UV_PYTHON: "/usr/bin/python3",
    ...(certificates ? { UV_NATIVE_TLS: "1" } : {}),
    ...inheritedSettings(),
  };
}

/** How this machine reaches the package index: the certificates and index of its environment. */
function inheritedSettings(): Record<string, string> {
  const env = Deno.env.toObject();
  const names = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
  ];
  const found = names.filter((name) => env[name] !== undefined).map((name) => [name, env[name]!]);
  const pip = env.PIP_INDEX_URL && !env.UV_DEFAULT_INDEX ? [["UV_DEFAULT_INDEX", env.PIP_INDEX_URL]] : [];
  return Object.fromEntries([...found, ...pip]);
}
