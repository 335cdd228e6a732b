// A table of decisions for one file: what both sides have, what is recorded, and what the transfer does.
import { USUAL_TRAITS } from "../../src/transfer/traits.ts";
import assert from "node:assert/strict";
import { decideDirectory, type DecisionRules, type TransferPolicy } from "../../src/transfer/decide.ts";
import type { Entry } from "../../src/transfer/entry.ts";

function file(sizeBytes: number, mtimeSeconds: number): Entry {
  return {
    ...{ name: "f", type: "file", mode: 0o644, sizeBytes, mtimeSeconds, mtimeNanoseconds: 5, linkTarget: "" },
    ...{ linkGroup: "", userId: 0, groupId: 0, allocatedBytes: sizeBytes, specialKind: "" },
  };
}

const OLD = file(10, 100);
const NEW = file(20, 200);
const NEWER = file(30, 300);

type Case = readonly [policy: TransferPolicy, from: Entry, to: Entry, base: Entry | "none" | "no record", what: string];

const CASES: readonly Case[] = [
  ["stage", OLD, NEW, "no record", "kept: changed on both sides, not recorded"],
  ["stage", NEW, OLD, "no record", "transferred, recorded 20"],
  ["stage", NEW, OLD, "none", "kept: changed on both sides, not recorded"],
  ["stage", OLD, NEW, OLD, "kept: changed there, recorded 10"],
  ["stage", NEWER, NEW, OLD, "kept: changed on both sides, recorded 10"],
  ["push", NEW, OLD, OLD, "transferred, recorded 20"],
  ["push", NEW, NEWER, OLD, "kept: changed on both sides, recorded 10"],
  ["push", OLD, NEW, "no record", "kept: newer at the source, not recorded"],
  ["push", NEW, OLD, "no record", "kept: changed on both sides, not recorded"],
  ["push", NEW, OLD, "none", "kept: changed on both sides, not recorded"],
];

for (const [policy, from, to, base, expected] of CASES) {
  const recorded = typeof base === "string" ? base : base.sizeBytes;
  Deno.test(`${policy}: ${from.sizeBytes} here, ${to.sizeBytes} there, recorded ${recorded}: ${expected}`, () => {
    const rules: DecisionRules = {
      ...{ policy, traits: USUAL_TRAITS, removals: "recorded", receivingSide: "live" },
      unrecorded: base === "no record" ? "unknown" : "foreign",
    };
    const recordOf = () => typeof base === "string" ? undefined : base;
    const plan = decideDirectory(
      { directory: "", from: [from], to: [to], recordOf, fromSelf: undefined, toSelf: undefined },
      rules,
    );
    const [kept] = plan.kept;
    const [record] = plan.records;
    const what = plan.transfers.length > 0 ? "transferred" : kept === undefined ? "left" : `kept: ${kept.reason}`;
    assert.equal(`${what}, ${record === undefined ? "not recorded" : `recorded ${record[1].sizeBytes}`}`, expected);
  });
}
