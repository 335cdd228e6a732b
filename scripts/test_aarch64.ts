// Tests the executable for aarch64 on another processor, under qemu-user: `deno task test:aarch64`. As root on Debian it gets
// the emulator and aarch64's libc; elsewhere they must be installed, with QEMU_LD_PREFIX naming the directory of that libc.
import { cacheDirectory, PROJECT_DIRECTORY } from "./bundle.ts";
import { compile } from "./compile.ts";
import { isInstalled, tell } from "./prepare.ts";

/** The emulator, and the source of Debian's packages of aarch64's libraries. */
const EMULATOR = "qemu-aarch64-static";
const LIBRARIES = ["libc6:arm64", "libgcc-s1:arm64"];

const prefix = Deno.env.get("QEMU_LD_PREFIX") ?? `${cacheDirectory()}/aarch64-root`;
const target = "aarch64-unknown-linux-gnu";

if (Deno.build.arch !== "aarch64") {
  if (!isInstalled(EMULATOR)) await must(["apt-get", "install", "-y", "-q", "qemu-user-static"]);
  if (!await isThere(`${prefix}/lib/ld-linux-aarch64.so.1`)) await getLibraries();
}
const [program, check] = [
  `${PROJECT_DIRECTORY}/dist/euler-files-${target}`,
  `${PROJECT_DIRECTORY}/dist/check-${target}`,
];
await compile({ target, output: program });
await compile({ target, output: check, entry: "scripts/check_calls.ts" });
await must([Deno.execPath(), "test", "--allow-all", "--no-check", "tests/executable/aarch64_test.ts"], {
  QEMU_LD_PREFIX: prefix,
  EULER_FILES_AARCH64: program,
  EULER_FILES_AARCH64_CHECK: check,
});

async function getLibraries(): Promise<void> {
  const packages = `${prefix}.packages`;
  await Deno.mkdir(packages, { recursive: true });
  await must(["dpkg", "--add-architecture", "arm64"]);
  await must(["apt-get", "update", "-q"]);
  await must(["apt-get", "download", ...LIBRARIES], {}, packages);
  for await (const { name } of Deno.readDir(packages)) await must(["dpkg", "-x", `${packages}/${name}`, prefix]);
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

async function must([command, ...args]: string[], env: Record<string, string> = {}, cwd = PROJECT_DIRECTORY) {
  const { success } = await new Deno.Command(command!, { args, env, cwd, stdin: "null" }).spawn().status;
  if (success) return;
  tell([`error: ${command} ${args.join(" ")} failed`]);
  Deno.exit(1);
}
