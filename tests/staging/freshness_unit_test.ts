// The rule of freshness, as laws: a target that is called fresh is a complete copy of this very source.
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { makeSelection } from "../../src/filter/selection.ts";
import type { VariableFilter } from "../../src/records/filter.ts";
import { ABSENT_FINGERPRINT, decideFreshness } from "../../src/records/freshness.ts";
import type { Marker } from "../../src/records/marker.ts";
import type { VariableFacts } from "../../src/records/observe.ts";

const MARKER: Marker = {
  synced_at: 1000,
  source_mtime: 900,
  var_name: "HF_HOME",
  source: "/home/hf",
  source_fingerprint: "f1",
  target_device: 1,
  target_inode: 2,
  target_mtime: 5000,
  left_out: [],
  sample: ["hub/a"],
  files: 3,
  bytes: 30,
};

const FRESH: VariableFacts = {
  source: {
    state: "directory",
    fingerprint: "f1",
    inode: 7,
    newestMtimeSeconds: 900,
    mtimeMilliseconds: 900_000,
    names: ["hub", "version"],
    children: new Map(),
  },
  target: {
    state: "directory",
    device: 1,
    inode: 2,
    mtimeMilliseconds: 5000,
    names: new Set(["hub", "version", "added by a job"]),
  },
  marker: MARKER,
  purgedSample: [],
};

const NO_FILTER = { selection: undefined, isPresetOnly: true };

const RULE = { source: "/home/hf", filter: NO_FILTER, nowSeconds: 1500, maxAgeSeconds: 3600 };

Deno.test("a complete, unchanged, young target is fresh, even if a job added files", () => {
  assert.deepEqual(decideFreshness(FRESH, RULE), { verdict: "fresh" });
});

Deno.test("the same directory on another node, which numbers its mounts differently, is fresh", () => {
  const facts = { ...FRESH, target: { ...FRESH.target, device: 3 } as VariableFacts["target"] };
  assert.deepEqual(decideFreshness(facts, RULE), { verdict: "fresh" });
});

Deno.test("files that were written just before they were copied are compared a minute later", () => {
  const facts = { ...FRESH, marker: { ...MARKER, racy: { files: 2, until: 1060 } } };
  assert.deepEqual(decideFreshness(facts, { ...RULE, nowSeconds: 1059 }), { verdict: "fresh" });
  assert.deepEqual(decideFreshness(facts, { ...RULE, nowSeconds: 1060 }), {
    verdict: "stale",
    reason: "2 files had just been written when the last transfer copied them",
  });
});

const DOUBTS: Record<string, Partial<VariableFacts>> = {
  "no marker": { marker: "missing" },
  "a damaged marker": { marker: "damaged" },
  "a marker of another user": { marker: "not-ours" },
  "a marker of another source": { marker: { ...MARKER, source: "/home/other" } },
  "a marker from the future": { marker: { ...MARKER, synced_at: 1600 } },
  "another directory under the target's name": { target: { ...FRESH.target, inode: 3 } as VariableFacts["target"] },
  "a top-level name gone from scratch": {
    target: { ...FRESH.target, names: new Set(["hub"]) } as VariableFacts["target"],
  },
  "a file of the sample gone from scratch": { purgedSample: ["hub/a"] },
  "a changed source": { source: { ...FRESH.source, fingerprint: "f2" } as VariableFacts["source"] },
  "no target": { target: { state: "missing" } },
  "a source that held files and is gone": { source: { state: "missing", parent: "exists" } },
  "no source, and no parent": { source: { state: "missing", parent: "missing" } },
  "a source that can't be read": { source: { state: "unusable", reason: "permission denied" } },
};

for (const [name, doubt] of Object.entries(DOUBTS)) {
  Deno.test(`never fresh with ${name}`, () => {
    const freshness = decideFreshness({ ...FRESH, ...doubt }, RULE);
    assert.notEqual(freshness.verdict, "fresh");
    assert.ok("reason" in freshness && freshness.reason.length > 0);
  });
}

Deno.test("a single doubt is enough to make a target not fresh", () => {
  fc.assert(fc.property(fc.subarray(Object.values(DOUBTS), { minLength: 1 }), (doubts) => {
    const facts = Object.assign({}, FRESH, ...doubts);
    assert.notEqual(decideFreshness(facts, RULE).verdict, "fresh");
  }));
});

Deno.test("freshness ends with age and never comes back", () => {
  fc.assert(fc.property(fc.nat(20000), fc.nat(20000), fc.nat(7200), (a, b, maxAgeSeconds) => {
    const [younger, older] = a < b ? [a, b] : [b, a];
    const verdictAt = (ageSeconds: number) =>
      decideFreshness(FRESH, { ...RULE, maxAgeSeconds, nowSeconds: 1000 + ageSeconds }).verdict;
    if (verdictAt(older) === "fresh") assert.equal(verdictAt(younger), "fresh");
    assert.equal(verdictAt(younger) === "fresh", younger < maxAgeSeconds);
  }));
});

Deno.test("names left out on purpose do not count as purged", () => {
  const facts = {
    ...FRESH,
    marker: { ...MARKER, left_out: ["version"] },
    target: { ...FRESH.target, names: new Set(["hub"]) } as VariableFacts["target"],
  };
  assert.equal(decideFreshness(facts, RULE).verdict, "fresh");
});

function filterBy(pattern: string, isPresetOnly = false): VariableFilter {
  const rules = [{ action: "exclude", pattern }] as const;
  return { selection: makeSelection({ rules, others: "selected", deleteExcluded: false }), isPresetOnly };
}

function verdictBy(filter: VariableFilter, marked: VariableFilter | undefined): string {
  const marker = marked?.selection === undefined ? MARKER : { ...MARKER, filter: marked.selection.id };
  return decideFreshness({ ...FRESH, marker }, { ...RULE, filter }).verdict;
}

Deno.test("a target made by other rules is stale", () => {
  assert.equal(verdictBy(filterBy("*.ckpt"), filterBy("*.ckpt")), "fresh");
  assert.equal(verdictBy(filterBy("*.ckpt"), filterBy("*.tmp")), "stale");
  assert.equal(verdictBy(filterBy("*.ckpt"), undefined), "stale");
  assert.equal(verdictBy(NO_FILTER, filterBy("*.ckpt")), "stale");
});

Deno.test("a target made before presets had rules contains everything that these rules let through", () => {
  assert.equal(verdictBy(filterBy(".locks/", true), undefined), "fresh");
  assert.equal(verdictBy(filterBy(".locks/", true), filterBy("*.tmp")), "stale");
});

const NEW: VariableFacts = {
  ...FRESH,
  source: { state: "missing", parent: "exists" },
  marker: { ...MARKER, source_fingerprint: ABSENT_FINGERPRINT, files: 0, sample: [] },
};

Deno.test("a source that never existed is fresh with its marker, until it appears", () => {
  assert.deepEqual(decideFreshness(NEW, RULE), { verdict: "fresh" });
  assert.equal(decideFreshness({ ...NEW, source: FRESH.source }, RULE).verdict, "stale");
  assert.equal(decideFreshness({ ...NEW, marker: "missing" }, RULE).verdict, "stale");
  assert.equal(decideFreshness({ ...NEW, target: { state: "missing" } }, RULE).verdict, "not-synced");
  const unmounted = { ...NEW, source: { state: "missing", parent: "missing" } } as const;
  assert.equal(decideFreshness(unmounted, RULE).verdict, "source-missing");
});

Deno.test("with skip_if_fresh_seconds 0 nothing is fresh, even if another node's clock is ahead", () => {
  for (const nowSeconds of [1000, 999, 970]) {
    assert.equal(decideFreshness(FRESH, { ...RULE, nowSeconds, maxAgeSeconds: 0 }).verdict, "stale");
  }
});
