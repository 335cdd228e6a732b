// Links of a variable that lead out of its source, and what they lead to: programs on scratch read that from its original
// storage, which may be the slow one that staging is meant to avoid.
import { isWithin } from "../config/paths.ts";
import { formatCount, formatSize, printable } from "../text/format.ts";
import { isUtf8Name } from "../posix/file_names.ts";
import type { System } from "../system/system.ts";
import type { OutsideLink, OutsideLinks } from "../transfer/outside_links.ts";
import { type NamedOutsideLinks, NO_OUTSIDE_LINKS } from "../records/marker.ts";
import type { StageWarning } from "./stage_result.ts";
import { linksOf, type StagingSettings, type Variable } from "../variables/variable.ts";

type NamedLink = NamedOutsideLinks["named"][number];

/** How many links are looked at and recorded, and how many of them a message names. */
const LOOKED_AT = 8;
const TOLD = 3;

/** A link target that does not answer within this time is on a mount that no longer works. */
const DEADLINE_MILLISECONDS = 2000;

const STORAGE_WORDS = {
  slow: "on slow storage",
  scratch: "on scratch",
  node: "on this node",
} as const;

/** Looks at what the first few links lead to: one lookup each, all at the same time. */
export async function nameOutsideLinks(
  variable: Variable,
  { scratchBase, cacheRoot }: Pick<StagingSettings, "scratchBase" | "cacheRoot">,
  { count, links }: OutsideLinks,
  { env, forgiveCalls }: Pick<System, "env" | "forgiveCalls">,
): Promise<NamedOutsideLinks> {
  if (count === 0) return NO_OUTSIDE_LINKS;
  const deviceOf = (path: string) => Deno.stat(path).then(({ dev }) => dev, () => undefined);
  const [source, scratch, root, realScratch] = await Promise.all([
    deviceOf(variable.source),
    deviceOf(cacheRoot),
    deviceOf("/"),
    Deno.realPath(scratchBase).catch(() => scratchBase),
  ]);
  const storages: Storages = { source, scratch, root, scratchBase: realScratch, temporary: env.TMPDIR };
  const named = await Promise.all(
    links.slice(0, LOOKED_AT).map(async (link): Promise<NamedLink> => {
      const unknown = { ...link, behind: "it does not answer", storage: "unknown" } as const;
      if (!isUtf8Name(link.path)) return { ...unknown, behind: "not looked at" };
      const lookup = lookBehind(variable, link, storages);
      return await within(DEADLINE_MILLISECONDS, lookup, () => {
        forgiveCalls?.(pathOf(variable, link), lookup);
        return unknown;
      });
    }),
  );
  return { count, named };
}

/** The device numbers and paths by which the storage of a link's target is recognized. */
interface Storages {
  readonly source: number | undefined;
  readonly scratch: number | undefined;
  readonly root: number | undefined;
  readonly scratchBase: string;
  readonly temporary: string | undefined;
}

function pathOf({ source }: Variable, { path }: OutsideLink): string {
  return `${source}/${path}`;
}

async function lookBehind(variable: Variable, link: OutsideLink, storages: Storages): Promise<NamedLink> {
  const path = pathOf(variable, link);
  try {
    // One after the other: the call that does not return is the one about this path.
    const info = await Deno.stat(path);
    const real = await Deno.realPath(path);
    const storage = storageOf(real, info.dev, storages);
    const what = info.isDirectory ? "a directory" : info.isFile ? formatSize(info.size) : "a special file";
    return { ...link, behind: `${what} ${STORAGE_WORDS[storage]}`, storage };
  } catch (error) {
    const isDenied = error instanceof Deno.errors.PermissionDenied;
    return isDenied
      ? { ...link, behind: "permission denied", storage: "unknown" }
      : { ...link, behind: "leads nowhere", storage: "nowhere" };
  }
}

/** Directories on a node's own disk or in its memory, if they are not on the source's file system. */
const NODE_DIRECTORIES = ["/tmp", "/var/tmp", "/dev", "/run"];

function storageOf(path: string, device: number, storages: Storages): keyof typeof STORAGE_WORDS {
  const { source, scratch, root, scratchBase, temporary } = storages;
  const isIn = (directory: string) => isWithin(path as never, directory as never);
  if (isIn(scratchBase)) return "scratch";
  if (temporary?.startsWith("/") && isIn(temporary)) return "node";
  if (device === source) return "slow";
  if (device === scratch) return "scratch";
  return device === root || NODE_DIRECTORIES.some(isIn) ? "node" : "slow";
}

async function within<Value>(milliseconds: number, work: Promise<Value>, otherwise: () => Value): Promise<Value> {
  let timer: number | undefined;
  const late = new Promise<Value>((resolve) => timer = setTimeout(() => resolve(otherwise()), milliseconds));
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** The warnings about links that lead out of the source. */
export function outsideLinkWarnings(
  variable: Variable,
  settings: Pick<StagingSettings, "links">,
  links: NamedOutsideLinks,
  { told: which = "all" }: { readonly told?: "all" | "not followed yet" } = {},
): StageWarning[] {
  // If links are followed, a link that leads nowhere does so at the source as well: no problem of the copy.
  const isSettled = ({ storage }: NamedLink) =>
    which === "not followed yet" && linksOf(variable, settings) !== "keep" && storage === "nowhere";
  const named = links.named.filter((link) => !isSettled(link));
  const count = links.count - (links.named.length - named.length);
  if (count === 0) return [];
  const isSlow = ({ storage }: NamedLink) => storage === "slow";
  // Name the links to slow storage first.
  const told = [...named.filter(isSlow), ...named.filter((link) => !isSlow(link))].slice(0, TOLD)
    .map(({ path, target, behind }) => `${printable(path)} -> ${printable(target)} (${behind})`);
  const more = count > told.length ? ` and ${formatCount(count - told.length)} more` : "";
  const follows = linksOf(variable, settings) !== "keep";
  const verb = count === 1 ? "leads" : "lead";
  const what = `${formatCount(count)} ${count === 1 ? "link" : "links"} ${
    follows ? `that ${verb} out of the source could not be followed` : `${verb} out of the source`
  }`;
  return [{
    text: `${what}: ${told.join(", ")}${more}`,
    ...(follows || !named.some(isSlow) ? {} : {
      hint: "programs read what they lead to from there; to stage it as well, run " +
        `\`euler-files config set vars.${variable.name}.links follow-outside\``,
    }),
  }];
}

/** The marker's entry for links that lead out of the source; empty if there are none. */
export function markedOutsideLinks(links: NamedOutsideLinks): { readonly outside_links?: NamedOutsideLinks } {
  return links.count === 0 ? {} : { outside_links: links };
}
