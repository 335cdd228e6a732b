// Finds files of two trees that have the same size and time, and different contents.
import type { Selection } from "../filter/selection.ts";
import { joinName } from "../posix/file_names.ts";
import type { System } from "../system/system.ts";
import { rulesFor } from "./intent.ts";
import { prepareJobRunner } from "./job_runner.ts";
import { linkMapsOf } from "./link_maps.ts";
import { selectLinked } from "./linked_selection.ts";
import type { TransferRequest } from "./request.ts";
import { walkTrees } from "./walk.ts";

/** Two trees, and which names take part. */
export interface DifferenceRequest extends Pick<TransferRequest, "from" | "to" | "links" | "linkRoots"> {
  readonly selection: Selection | undefined;
}

/**
 * The paths of such files, relative to the roots. A file that one side cannot read is included, unless its directory cannot be
 * listed.
 */
export async function findDifferentContents(request: DifferenceRequest, system: System): Promise<readonly string[]> {
  const { from, to, selection, links = "keep" } = request;
  const maps = await linkMapsOf({ ...request, intent: "stage-update" }, to);
  await using runner = await prepareJobRunner({ roots: [from, to], links: maps }, system);
  const tree = { root: from, shown: request.linkRoots?.source };
  const taking = selection === undefined ? undefined : await selectLinked(tree, selection, runner);
  const different: string[] = [];
  await walkTrees(
    {
      ...{ from, to, record: undefined, contentsSinceSeconds: -Infinity, followsLinks: links !== "keep" },
      ...(taking === undefined ? {} : { selection: taking }),
      rules: rulesFor("compare"),
    },
    {
      onPlan: ({ directory, otherContents }) => {
        for (const name of otherContents) different.push(joinName(directory, name));
      },
      onUnreadable: () => {},
    },
    runner,
  );
  return different.toSorted();
}
