// The schema of links that lead out of a source, for markers and for the JSON output of commands.
import * as v from "valibot";

/** Links that lead out of a source: how many, and the first few with what they lead to. */
export const OUTSIDE_LINKS_SCHEMA = v.object({
  count: v.number(),
  named: v.array(v.object({
    path: v.pipe(v.string(), v.description("Relative to the source")),
    target: v.string(),
    behind: v.pipe(v.string(), v.description("What lies there, for people")),
    storage: v.pipe(
      v.picklist(["slow", "scratch", "node", "nowhere", "unknown"]),
      v.description("Where it lies; `nowhere` for a link that leads to nothing"),
    ),
  })),
});

/** See {@linkcode OUTSIDE_LINKS_SCHEMA}. */
export type NamedOutsideLinks = v.InferOutput<typeof OUTSIDE_LINKS_SCHEMA>;

/** No links. */
export const NO_OUTSIDE_LINKS: NamedOutsideLinks = { count: 0, named: [] };
