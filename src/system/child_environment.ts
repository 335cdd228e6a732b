// The environment of the programs that we start. Variables of the user's shell change what some of them do: TAR_OPTIONS can
// make tar delete the files it packed, RSYNC_ICONV makes rsync rename files, and with an empty or relative entry in the PATH
// the working directory decides which program a shell finds.

type Environment = Readonly<Record<string, string>>;

/**
 * `made`: only variables about the user, locale and system. `inherited`: all variables of the user, for programs that are the
 * user's own tools and are configured by variables (uv and the compilers it starts, Apptainer and what runs in a container).
 */
export type ChildEnvironment = "made" | "inherited";

/** A cluster's modules set LD_LIBRARY_PATH for their programs; KRB5CCNAME gives Kerberos access to the home directory. */
const KEPT = ["HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "KRB5CCNAME"];

const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin";

/** The environment of a child, with the given changes; `null` removes a variable. */
export function childEnvironment(
  env: Environment,
  kind: ChildEnvironment,
  changes: Readonly<Record<string, string | null>> = {},
): Record<string, string> {
  const isKept = (name: string) => kind === "inherited" || KEPT.includes(name) || name.startsWith("LC_");
  // Values that are not UTF-8 can't be passed to a child.
  const isText = (text: string) => text.isWellFormed();
  const child = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => isKept(name) && isText(name) && isText(value)),
  );
  // Built from entries: plain assignment would lose a variable named __proto__.
  return Object.fromEntries([
    ...Object.entries({ ...child, PATH: absolutePath(env.PATH) }).filter(([name]) => !Object.hasOwn(changes, name)),
    ...Object.entries(changes).filter((change): change is [string, string] => change[1] !== null),
  ]);
}

function absolutePath(path: string | undefined): string {
  const entries = (path ?? "").split(":").filter((entry) => entry.startsWith("/"));
  return entries.length === 0 ? SYSTEM_PATH : entries.join(":");
}
