// The environment that the programs we start get. Variables of the user's shell change what some of them do: TAR_OPTIONS may have
// tar delete what it packed, RSYNC_ICONV has rsync rename files, and where the PATH has an empty or relative entry, the working
// directory decides which program a shell finds.

type Environment = Readonly<Record<string, string>>;

/**
 * `made`: only what says who and where we are. `inherited`: all of the user's, for programs that are the user's own tools and are
 * set up by variables (uv and the compilers it starts, Apptainer and what runs in a container).
 */
export type ChildEnvironment = "made" | "inherited";

/** LD_LIBRARY_PATH is how the modules of a cluster let a program find its libraries; Kerberos opens a home directory by KRB5CCNAME. */
const KEPT = ["HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "KRB5CCNAME"];

const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

/** The environment of a child, with these changes; `null` removes a variable. */
export function childEnvironment(
  env: Environment,
  kind: ChildEnvironment,
  changes: Readonly<Record<string, string | null>> = {},
): Record<string, string> {
  const isKept = (name: string) => kind === "inherited" || KEPT.includes(name) || name.startsWith("LC_");
  // What is not UTF-8 can't be handed on.
  const isText = (text: string) => text.isWellFormed();
  const child = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => isKept(name) && isText(name) && isText(value)),
  );
  child.PATH = absolutePath(env.PATH);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete child[name];
    else child[name] = value;
  }
  return child;
}

function absolutePath(path: string | undefined): string {
  const entries = (path ?? "").split(":").filter((entry) => entry.startsWith("/"));
  return entries.length === 0 ? SYSTEM_PATH : entries.join(":");
}
