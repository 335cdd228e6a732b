// Which names a push leaves out because it would write them through a link.
import { USUAL_TRAITS } from "../../src/transfer/traits.ts";
import assert from "node:assert/strict";
import { withoutWritesThroughLinks } from "../../src/transfer/behind_links.ts";
import { decideDirectory, type DecisionRules } from "../../src/transfer/decide.ts";
import type { Entry, EntryState } from "../../src/transfer/entry.ts";

const PUSH: DecisionRules = {
  policy: "push",
  traits: USUAL_TRAITS,
  removals: "recorded",
  unrecorded: "foreign",
  receivingSide: "live",
};

function entry(name: string, changes: Partial<Entry> = {}): Entry {
  return {
    ...{ name, type: "file", mode: 0o644, sizeBytes: 1, mtimeSeconds: 1, mtimeNanoseconds: 5, linkTarget: "" },
    ...{ linkGroup: "", userId: 1, groupId: 1, allocatedBytes: 1, specialKind: "" },
    ...changes,
  };
}

const directory = (name: string) => entry(name, { type: "directory", mode: 0o755, sizeBytes: 0 });

function pushed(from: Entry[], to: Entry[], recorded: Entry[], isBehind: boolean) {
  const states = new Map<string, EntryState>(recorded.map((one) => [one.name, one]));
  const recordOf = (name: string) => states.get(name);
  const plan = decideDirectory(
    { directory: "d", from, to, recordOf, fromSelf: directory("d"), toSelf: directory("d") },
    PUSH,
  );
  const { transfers, makes, linked, kept, records, descend } = withoutWritesThroughLinks(plan, isBehind, recordOf);
  const names = (all: readonly { readonly name: string }[]) => all.map(({ name }) => name);
  return {
    transfers: [...names(transfers), ...names(linked.map(({ from }) => from))],
    makes: names(makes),
    kept: kept.map(({ name, reason }) => `${name}: ${reason}`),
    records: records.map(([name, { sizeBytes }]) => `${name} ${sizeBytes}`),
    descend: names(descend),
  };
}

Deno.test("a name that is a link at the source is kept with its record, others are pushed", () => {
  const changed = { sizeBytes: 2, mtimeSeconds: 2 };
  assert.deepEqual(
    pushed(
      [entry("link", changed), entry("plain", changed)],
      [entry("link", { isFollowed: true, isBehindLink: true }), entry("plain")],
      [entry("link"), entry("plain")],
      false,
    ),
    {
      transfers: ["plain"],
      makes: [],
      kept: ["link: a link at the source"],
      records: ["link 1", "plain 2"],
      descend: [],
    },
  );
});

Deno.test("nothing is written or made behind a link, and unchanged files there are not named", () => {
  assert.deepEqual(
    pushed(
      [entry("same"), entry("new"), entry("several", { linkGroup: "1:2" }), directory("made"), directory("there")],
      [entry("same"), directory("there")],
      [entry("same"), directory("there")],
      true,
    ),
    {
      transfers: [],
      makes: [],
      kept: ["new", "several", "made"].map((name) => `${name}: a link at the source`),
      records: ["same 1", "there 0"],
      descend: ["there"],
    },
  );
});
