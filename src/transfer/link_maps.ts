// How the links of both sides are read. A transfer changes absolute links into one side so that they lead into the other. So
// that they compare as equal, the maps show both as links into the persistent side. Only that side's links may be followed.
import { splitAbsolute } from "../posix/file_names.ts";
import type { LinkMap } from "../posix/tree.ts";
import type { LinkMaps } from "./jobs/job.ts";
import type { TransferRequest } from "./request.ts";

/** What a request says of links. */
export type LinkSettings = Pick<TransferRequest, "linkRoots" | "links">;

/** The maps of both roots; `realTo` is `to` with its links resolved. */
export async function linkMapsOf(
  { from, to, intent, ...settings }: LinkSettings & Pick<TransferRequest, "from" | "to" | "intent">,
  realTo: string,
): Promise<LinkMaps> {
  const { linkRoots } = settings;
  if (linkRoots === undefined) return {};
  const persistent = await persistentLinks(linkRoots, settings.links);
  const staged = await stagedLinks(linkRoots);
  const [ofFrom, ofTo] = intent === "push" ? [staged, persistent] : [persistent, staged];
  return { [from]: ofFrom, [to]: ofTo, [realTo]: ofTo };
}

/** The map of one directory, which is the persistent side or its copy. */
export async function linkMapOf(root: string, { linkRoots, links }: LinkSettings): Promise<LinkMaps> {
  if (linkRoots === undefined) return {};
  const isPersistent = root === linkRoots.source;
  return { [root]: isPersistent ? await persistentLinks(linkRoots, links) : await stagedLinks(linkRoots) };
}

type LinkRoots = NonNullable<TransferRequest["linkRoots"]>;

async function persistentLinks({ source, target }: LinkRoots, links: LinkSettings["links"] = "keep"): Promise<LinkMap> {
  return {
    own: await namesOf(source),
    shown: source,
    avoid: splitAbsolute(target)[0],
    ...(links === "keep" ? {} : { follow: links === "follow" ? "all" : "outside" }),
  };
}

async function stagedLinks({ source, target }: LinkRoots): Promise<LinkMap> {
  return { own: await namesOf(target), shown: source };
}

/** A path, and the same path with its links resolved. */
async function namesOf(path: string): Promise<string[]> {
  return [...new Set([path, await Deno.realPath(path).catch(() => path)])];
}
