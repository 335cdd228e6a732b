// Gets the programs that tests of environments and images run: uv, Apptainer with a user who may build, a base image as a
// file and as an OCI layout, and the programs of a registry. `deno run scripts/prepare_apptainer.ts`; prepare.ts calls it.
// As root on Debian (amd64) it installs what is missing, once; elsewhere it says what is missing.
import { cacheDirectory } from "./bundle.ts";
import { installPackages, isInstalled, tell } from "./prepare.ts";

/** The version the tests were written against. */
const UV_VERSION = "0.13.8";

/** The user who builds images in the tests: Apptainer as root refuses --fakeroot, and a bare machine has no other subuids. */
const USER = "euler-files-test";

/** Programs by their Debian package. */
const PROGRAMS: Readonly<Record<string, string>> = {
  mmdebstrap: "mmdebstrap",
  patchelf: "patchelf",
  mksquashfs: "squashfs-tools",
  newuidmap: "uidmap",
  fakeroot: "fakeroot",
  umoci: "umoci",
  skopeo: "skopeo",
  "docker-registry": "docker-registry",
};

/** Packages that Debian's stable lacks are taken from its unstable: Apptainer, and the libraries it was linked with. */
const UNSTABLE_PACKAGES = ["apptainer", "libc6", "libseccomp2", "libsqlite3-0"];

/** The directory of the newer libraries: apart from those of the system, for Apptainer alone. */
const LIBRARIES = "/opt/euler-files-apptainer/lib";

const NO_NAMESPACES = "user namespaces not permitted";

/** Directories of the base image that no test needs; with fewer files each unpacking is faster. */
const NEEDLESS = [
  "usr/share/{doc,man,locale,info,zoneinfo,perl,perl5,bash-completion,i18n,lintian}",
  "usr/lib/x86_64-linux-gnu/{perl,perl-base,gconv}",
  "usr/lib/python3*/{idlelib,lib2to3,pydoc_data,test,distutils,tkinter}",
  "var/{cache,log}/*",
  "var/lib/{apt,dpkg}",
  "dev/*",
];

/** The programs and files that the tests of real containers use. */
export interface ContainerWorkshop {
  readonly uid: number;
  readonly gid: number;
  /** A .sif file with Python and little else. */
  readonly baseImage: string;
  /** The same as an OCI layout with the tag `base`. */
  readonly ociLayout: string;
}

/** The workshop, or why it is incomplete. Changes nothing. */
export async function findWorkshop(): Promise<ContainerWorkshop | string> {
  if (Deno.uid() !== 0) return "only root can change to the user who builds";
  if (!await mayMakeNamespaces()) return NO_NAMESPACES;
  if (!isInstalled("apptainer")) return "apptainer not installed";
  const user = await userIds();
  if (user === undefined) return `there is no user ${USER}`;
  if (!await hasBaseImage()) return "no base image was made";
  return { ...user, baseImage: `${store()}/base.sif`, ociLayout: `${store()}/oci` };
}

/** Whether an unprivileged user may make a user namespace and mount in it, as Apptainer does. Containers often forbid it. */
async function mayMakeNamespaces(): Promise<boolean> {
  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const trial = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/tmp"];
  return await must(["setpriv", ...nobody, ...trial]).then(() => true, () => false);
}

async function hasBaseImage(): Promise<boolean> {
  return await exists(`${store()}/base.sif`) && await exists(`${store()}/oci/index.json`);
}

/** The squashfuse on the PATH or the one that was unpacked for the tests, with the directory of its libraries; undefined without one. */
export function findSquashfuseForTests(): { readonly program: string; readonly libraries: string } | undefined {
  const own = `${store()}/squashfuse/usr`;
  const libraries = `${own}/lib/x86_64-linux-gnu`;
  for (const program of [...programPaths("squashfuse"), `${own}/bin/squashfuse`]) {
    try {
      if (Deno.statSync(program).isFile) return { program, libraries };
    } catch {
      // Not there.
    }
  }
  return undefined;
}

function programPaths(name: string): string[] {
  return (Deno.env.get("PATH") ?? "").split(":").map((directory) => `${directory}/${name}`);
}

/** The uv on the PATH or the one that was installed for the tests; undefined if neither exists. */
export function findUvForTests(): string | undefined {
  const own = uvProgram();
  for (const path of [...programPaths("uv"), own]) {
    try {
      if (path.startsWith("/") && Deno.statSync(path).isFile) return path;
    } catch {
      // Not there.
    }
  }
  return undefined;
}

/** Gets what is missing. Throws nothing: the sentences say what was installed, and what could not be and why. */
export async function prepareApptainer(): Promise<readonly string[]> {
  const said: string[] = [];
  const attempt = async (what: string, done: boolean, work: () => Promise<void>) => {
    if (done) return;
    try {
      await work();
      said.push(`Installed ${what}`);
    } catch (error) {
      said.push(`Missing: ${what} (${error instanceof Error ? error.message : String(error)})`);
    }
  };
  await attempt("uv", findUvForTests() !== undefined, getUv);
  await attempt("squashfuse", findSquashfuseForTests() !== undefined, unpackSquashfuse);
  if (typeof await findWorkshop() !== "string") return said;
  await attempt("Apptainer and a base image", false, makeWorkshop);
  return said;
}

function store(): string {
  return `${cacheDirectory()}/apptainer`;
}

function uvProgram(): string {
  return `${cacheDirectory()}/uv-${UV_VERSION}/bin/uv`;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Gets uv, which comes in a wheel; a new Python environment can unpack one on every machine. */
async function getUv(): Promise<void> {
  if (!isInstalled("python3-venv")) await needPackages(["python3-venv"]);
  const directory = `${cacheDirectory()}/uv-${UV_VERSION}`;
  await Deno.remove(directory, { recursive: true }).catch(() => {});
  await must(["python3", "-m", "venv", directory]);
  await must([`${directory}/bin/python`, "-m", "pip", "install", "--quiet", `uv==${UV_VERSION}`]);
}

/** Unpacks squashfuse without installing it: installed, Apptainer would use it, also where /dev/fuse is closed to its user. */
async function unpackSquashfuse(): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "euler-files-squashfuse-" });
  try {
    await must(["apt-get", "-qq", "download", "squashfuse", "libsquashfuse0", "libfuse3-3"], { cwd: work });
    await Deno.mkdir(store(), { recursive: true });
    for await (const { name } of Deno.readDir(work)) {
      await must(["dpkg", "-x", `${work}/${name}`, `${store()}/squashfuse`]);
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function makeWorkshop(): Promise<void> {
  if (Deno.uid() !== 0) throw new Error("only root may install");
  // Without user namespaces Apptainer starts nothing, so don't download it.
  if (!await mayMakeNamespaces()) throw new Error(NO_NAMESPACES);
  if (!isInstalled("apt-get") || !isInstalled("dpkg")) throw new Error("no apt-get here");
  if (await output(["dpkg", "--print-architecture"]) !== "amd64") throw new Error("only for amd64");
  const absent = Object.keys(PROGRAMS).filter((name) => !isInstalled(name));
  if (absent.length > 0) await needPackages(absent.map((name) => PROGRAMS[name]!));
  if (await userIds() === undefined) await must(["useradd", "--create-home", "--shell", "/usr/sbin/nologin", USER]);
  if (!isInstalled("apptainer")) await installApptainer();
  if (!await hasBaseImage()) await makeBaseImage();
}

async function needPackages(packages: readonly string[]): Promise<void> {
  if (Deno.uid() !== 0) throw new Error(`only root may install ${packages.join(", ")}`);
  const failure = await installPackages(packages);
  if (failure !== undefined) throw new Error(failure);
}

async function userIds(): Promise<{ uid: number; gid: number } | undefined> {
  const line = (await Deno.readTextFile("/etc/passwd")).split("\n").find((one) => one.startsWith(`${USER}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** Unpacks Apptainer with its libraries and makes its programs use these, without changing the rest of the system. */
async function installApptainer(): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "euler-files-apptainer-" });
  try {
    await downloadUnstable(work);
    const root = `${work}/root`;
    for await (const { name } of Deno.readDir(`${work}/debs`)) await must(["dpkg", "-x", `${work}/debs/${name}`, root]);
    await Deno.mkdir(LIBRARIES, { recursive: true });
    const system = "usr/lib/x86_64-linux-gnu";
    await must(["sh", "-c", 'cp -a "$1"/*.so* "$2/"', "sh", `${root}/${system}`, LIBRARIES]);
    for (const path of ["etc/apptainer", `${system}/apptainer`, "usr/bin/apptainer"]) {
      await must(["cp", "-a", "--", `${root}/${path}`, `/${path.slice(0, path.lastIndexOf("/"))}/`]);
    }
    await Deno.mkdir("/var/lib/apptainer/mnt/session", { recursive: true });
    const starters = await output(["find", `/${system}/apptainer`, "-type", "f", "-name", "starter*"]);
    for (const program of ["/usr/bin/apptainer", ...starters.split("\n").filter((line) => line !== "")]) {
      const loader = `${LIBRARIES}/ld-linux-x86-64.so.2`;
      await must(["patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", LIBRARIES, program]);
    }
    for await (const { name, isFile } of Deno.readDir(LIBRARIES)) {
      if (!isFile || !/^lib(sqlite3|seccomp)\.so/.test(name)) continue;
      await must(["patchelf", "--force-rpath", "--set-rpath", LIBRARIES, `${LIBRARIES}/${name}`]);
    }
    await must(["apptainer", "--version"]);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Downloads packages of Debian's unstable with a separate apt configuration that doesn't change the system's lists. */
async function downloadUnstable(work: string): Promise<void> {
  for (const directory of ["lists/partial", "archives/partial", "debs"]) {
    await Deno.mkdir(`${work}/${directory}`, { recursive: true });
  }
  const key = "/usr/share/keyrings/debian-archive-keyring.gpg";
  await Deno.writeTextFile(`${work}/unstable.list`, `deb [signed-by=${key}] ${await debianMirror()} sid main\n`);
  const settings = [
    "APT::Sandbox::User=root",
    `Dir::Etc::SourceList=${work}/unstable.list`,
    "Dir::Etc::SourceParts=-",
    `Dir::State::Lists=${work}/lists`,
    `Dir::Cache::Archives=${work}/archives`,
    "Dir::State::Status=/dev/null",
    "Acquire::Retries=2",
  ].flatMap((setting) => ["-o", setting]);
  await must(["apt-get", "-qq", ...settings, "update"]);
  await must(["apt-get", "-qq", ...settings, "download", ...UNSTABLE_PACKAGES], { cwd: `${work}/debs` });
}

/** The mirror from which this machine gets Debian's main archive. */
async function debianMirror(): Promise<string> {
  const sites = await output(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]);
  return sites.split("\n").find((site) => /\/debian\/?$/.test(site)) ?? "http://deb.debian.org/debian";
}

/** Makes a Debian of this machine's release with Python, so that environments made here fit: as a file and as an OCI layout. */
async function makeBaseImage(): Promise<void> {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(await Deno.readTextFile("/etc/os-release"))?.[1] ?? "bookworm";
  const work = await Deno.makeTempDir({ prefix: "euler-files-base-" });
  try {
    await Deno.chmod(work, 0o755);
    const rootfs = `${work}/rootfs`;
    await must([
      "mmdebstrap",
      "--quiet",
      "--variant=essential",
      "--include=python3",
      release,
      rootfs,
      await debianMirror(),
    ]);
    await must(["bash", "-c", `cd "$1" && rm -rf ${NEEDLESS.join(" ")}`, "bash", rootfs]);
    await Deno.mkdir(store(), { recursive: true });
    await makeOciLayout(work, rootfs);
    await must(["chown", "-R", `${USER}:${USER}`, work]);
    const user = await userIds();
    const as = ["setpriv", `--reuid=${user?.uid}`, `--regid=${user?.gid}`, "--clear-groups", "--"];
    // lz4 is the fastest to pack and unpack; the size doesn't matter, because the image stays on this machine.
    const build = ["apptainer", "--silent", "build", "--mksquashfs-args", "-comp lz4", `${work}/base.sif`, rootfs];
    await must([...as, ...build], { env: { HOME: work, APPTAINER_TMPDIR: work } });
    await Deno.copyFile(`${work}/base.sif`, `${store()}/base.sif.new`);
    await Deno.rename(`${store()}/base.sif.new`, `${store()}/base.sif`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

async function makeOciLayout(work: string, rootfs: string): Promise<void> {
  const layout = `${work}/oci`;
  await must(["umoci", "init", "--layout", layout]);
  await must(["umoci", "new", "--image", `${layout}:base`]);
  await must(["umoci", "insert", "--image", `${layout}:base`, rootfs, "/"]);
  await Deno.remove(`${store()}/oci`, { recursive: true }).catch(() => {});
  await must(["cp", "-a", "--", layout, `${store()}/oci`]);
}

async function must(
  argv: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const [program = "", ...args] = argv;
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { DEBIAN_FRONTEND: "noninteractive", ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(5 * 60_000),
  }).output();
  if (success) return new TextDecoder().decode(stdout);
  throw new Error(`${program} ${args[0] ?? ""}: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1)}`);
}

async function output(argv: readonly string[]): Promise<string> {
  return (await must(argv)).trim();
}

if (import.meta.main) {
  const said = await prepareApptainer();
  tell(said);
  Deno.exit(said.some((line) => line.startsWith("Missing")) ? 1 : 0);
}
