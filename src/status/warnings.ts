// The warnings of `status` about one variable.
import { keptWarnings } from "../staging/kept_warnings.ts";
import { outsideLinkWarnings } from "../staging/outside_links.ts";
import { secretWarnings } from "../staging/secrets_in_copies.ts";
import { unpushedWarnings } from "./unpushed_warnings.ts";
import { formatFiles, listSome } from "../text/format.ts";
import type { StagingSettings } from "../variables/variable.ts";
import type { Overview } from "./overview.ts";

/** A warning; `subject` is the variable, unless the text names it. */
export interface OverviewWarning {
  readonly text: string;
  readonly hint?: string | undefined;
  readonly subject?: string;
}

/** All warnings about a variable. */
export async function overviewWarnings(overview: Overview, settings: StagingSettings): Promise<OverviewWarning[]> {
  const { variable, purged, unreadable, different = [] } = overview;
  const about = (warnings: readonly OverviewWarning[]) =>
    warnings.map((warning) => ({ ...warning, subject: variable.name }));
  return [
    ...(purged.length > 0 ? [{ text: purgeWarning(overview) }] : []),
    ...(unreadable.length > 0 ? [{ text: unknownWarning(overview) }] : []),
    ...unreadableWarnings(overview).map((text) => ({ text })),
    ...about(unpushedWarnings(overview, settings)),
    ...(different.length > 0 ? [{ text: differenceWarning(overview) }] : []),
    ...about(keptWarnings(variable, overview.kept)),
    ...about(outsideLinkWarnings(variable, settings, overview.outside, { told: "not followed yet" })),
    ...about(await secretWarnings(variable, overview.secrets)),
  ];
}

/** A start checks a sample of the names, which may miss purged files that the full list shows; then only --force finds them. */
function purgeWarning({ variable: { name }, purged, seenBySync }: Overview): string {
  const what = `${name}: ${formatFiles(purged.length)} gone from scratch: ${listSome(purged, 3)}`;
  return `${what} (bring back: euler-files sync ${seenBySync ? "" : "--force "}--var ${name})`;
}

/** In a directory that can't be read, purged files cannot be found. */
function unknownWarning({ variable: { name }, unreadable }: Overview): string {
  return `${name}: could not read ${listSome(unreadable, 3)}: whether files are gone from there is unknown`;
}

/** Only a person can decide which side is right. */
function differenceWarning({ variable: { name }, different = [] }: Overview): string {
  const what = `${name}: ${formatFiles(different.length)} with other content on scratch, and the same size and time: ` +
    listSome(different, 3);
  return `${what} (take the source's: euler-files sync --checksum --var ${name}; scratch's: push --checksum --var ${name})`;
}

/** A size that is too small because of unreadable directories must be marked as such. */
function unreadableWarnings({ variable: { name }, sourceSize, targetSize }: Overview): string[] {
  return [sourceSize, targetSize].flatMap((size) =>
    size.from !== "measured" || size.unreadable.length === 0
      ? []
      : [`${name}: cannot read ${listSome(size.unreadable, 3)}: what is in there is not in the size`]
  );
}
